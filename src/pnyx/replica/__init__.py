"""Floor `replica`."""
