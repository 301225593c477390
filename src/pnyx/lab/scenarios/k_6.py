"""K-6: persist one client, a row of the table of kvraft."""

from pnyx.lab.scenarios.kvraft import row

row(
    "K-6",
    "PersistOneClient",
    real=True,
    clients=1,
    crash=True,
)
