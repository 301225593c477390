"""R-D2: who was away gets a snapshot, and Raft state stays small."""

from pnyx.lab.scenario import Scenario, add
from pnyx.lab.scenarios.snapshots import COMPACT_BYTES, snapshots

snapshot_install = add(
    Scenario(
        "R-D2",
        about="who was away gets a snapshot, and Raft state stays small",
        source="MIT 6.5840 lab 3D, TestSnapshotInstall",
        nodes=3,
        script=snapshots,
        compact_bytes=COMPACT_BYTES,
        options={"fault": "isolate"},
    )
)
