"""K-12: snapshot recover, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-12",
    "SnapshotRecover",
    clients=1,
    crash=True,
    log_bytes=1000,
)
