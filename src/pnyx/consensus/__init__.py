"""Floor `consensus`."""
