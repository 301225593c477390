"""R-D3: who was away gets a snapshot over unreliable links."""

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Scenario, add
from pnyx.lab.scenarios.snapshots import COMPACT_BYTES, snapshots

snapshot_install_unreliable = add(
    Scenario(
        "R-D3",
        about="who was away gets a snapshot over unreliable links",
        source="MIT 6.5840 lab 3D, TestSnapshotInstallUnreliable",
        nodes=3,
        script=snapshots,
        compact_bytes=COMPACT_BYTES,
        options={"fault": "isolate"},
        profile=MIT_UNRELIABLE,
        unreliable=True,
    )
)
