"""K-11: persist partition unreliable linearizable, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-11",
    "PersistPartitionUnreliableLinearizable",
    nodes=7,
    clients=15,
    lossy=True,
    crash=True,
    partition=True,
    random_keys=True,
)
