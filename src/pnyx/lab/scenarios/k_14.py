"""K-14: snapshot unreliable, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-14",
    "SnapshotUnreliable",
    clients=5,
    lossy=True,
    log_bytes=1000,
)
