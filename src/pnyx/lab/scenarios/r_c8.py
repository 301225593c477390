"""R-C8: churn over links that lose, delay and reorder."""

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Scenario, add
from pnyx.lab.scenarios.churn import churn

unreliable_churn = add(
    Scenario(
        "R-C8",
        about="what a client saw committed stays, under churn and over unreliable links",
        source="MIT 6.5840 lab 3C, TestUnreliableChurn",
        nodes=5,
        script=churn,
        profile=MIT_UNRELIABLE,
        unreliable=True,
    )
)
