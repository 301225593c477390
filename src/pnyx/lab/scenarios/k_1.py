"""K-1: basic, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-1",
    "Basic",
    real=True,
    clients=1,
)
