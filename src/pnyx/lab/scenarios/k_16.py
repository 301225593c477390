"""K-16: snapshot unreliable recover concurrent partition, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-16",
    "SnapshotUnreliableRecoverConcurrentPartition",
    clients=5,
    lossy=True,
    crash=True,
    partition=True,
    log_bytes=1000,
)
