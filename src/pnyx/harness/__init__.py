"""Floor `harness`."""
