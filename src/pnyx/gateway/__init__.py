"""Floor `gateway`."""
