"""Floor `consensus/raft`."""
