"""K-13: snapshot recover many clients, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-13",
    "SnapshotRecoverManyClients",
    clients=20,
    crash=True,
    log_bytes=1000,
)
