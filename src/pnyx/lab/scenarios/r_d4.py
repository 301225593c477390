"""R-D4: who lost its power gets a snapshot, and Raft state stays small."""

from pnyx.lab.scenario import Scenario, add
from pnyx.lab.scenarios.snapshots import COMPACT_BYTES, snapshots

snapshot_install_crash = add(
    Scenario(
        "R-D4",
        about="who lost its power gets a snapshot, and Raft state stays small",
        source="MIT 6.5840 lab 3D, TestSnapshotInstallCrash",
        nodes=3,
        script=snapshots,
        compact_bytes=COMPACT_BYTES,
        options={"fault": "crash"},
    )
)
