"""Floor `machine`."""
