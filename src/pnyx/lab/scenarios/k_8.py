"""K-8: persist concurrent unreliable, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-8",
    "PersistConcurrentUnreliable",
    clients=5,
    lossy=True,
    crash=True,
)
