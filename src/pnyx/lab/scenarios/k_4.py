"""K-4: many partitions one client, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-4",
    "ManyPartitionsOneClient",
    real=True,
    clients=1,
    partition=True,
)
