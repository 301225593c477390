"""K-2: concurrent, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-2",
    "Concurrent",
    real=True,
    clients=5,
)
