"""R-C7: churn over reliable links."""

from pnyx.lab.scenario import Scenario, add
from pnyx.lab.scenarios.churn import churn

reliable_churn = add(
    Scenario(
        "R-C7",
        about="what a client saw committed stays, while nodes leave, return and lose power",
        source="MIT 6.5840 lab 3C, TestReliableChurn",
        nodes=5,
        script=churn,
    )
)
