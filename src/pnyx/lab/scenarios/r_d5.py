"""R-D5: who lost its power gets a snapshot over unreliable links."""

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Scenario, add
from pnyx.lab.scenarios.snapshots import COMPACT_BYTES, snapshots

snapshot_install_un_crash = add(
    Scenario(
        "R-D5",
        about="who lost its power gets a snapshot over unreliable links",
        source="MIT 6.5840 lab 3D, TestSnapshotInstallUnCrash",
        nodes=3,
        script=snapshots,
        compact_bytes=COMPACT_BYTES,
        options={"fault": "crash"},
        profile=MIT_UNRELIABLE,
        unreliable=True,
    )
)
