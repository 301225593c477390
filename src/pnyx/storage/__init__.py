"""Floor `storage`."""
