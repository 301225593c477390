"""K-7: persist concurrent, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-7",
    "PersistConcurrent",
    real=True,
    clients=5,
    crash=True,
)
