"""K-9: persist partition, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-9",
    "PersistPartition",
    real=True,
    clients=5,
    crash=True,
    partition=True,
)
