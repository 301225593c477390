"""Floor `node`."""
