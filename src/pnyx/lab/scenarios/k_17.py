"""K-17: all faults at once with snapshots, random keys, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-17",
    "SnapshotUnreliableRecoverConcurrentPartitionLinearizable",
    nodes=7,
    clients=15,
    lossy=True,
    crash=True,
    partition=True,
    random_keys=True,
    log_bytes=1000,
)
