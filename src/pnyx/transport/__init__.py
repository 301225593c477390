"""Floor `transport`."""
