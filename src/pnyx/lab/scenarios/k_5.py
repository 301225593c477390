"""K-5: many partitions many clients, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-5",
    "ManyPartitionsManyClients",
    real=True,
    clients=5,
    partition=True,
)
