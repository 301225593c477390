"""K-10: persist partition unreliable, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-10",
    "PersistPartitionUnreliable",
    clients=5,
    lossy=True,
    crash=True,
    partition=True,
)
