"""K-15: snapshot unreliable recover, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-15",
    "SnapshotUnreliableRecover",
    clients=5,
    lossy=True,
    crash=True,
    log_bytes=1000,
)
