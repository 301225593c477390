"""K-3: unreliable, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-3",
    "Unreliable",
    clients=5,
    lossy=True,
)
