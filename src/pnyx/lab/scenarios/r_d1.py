"""R-D1: every replica snapshots as it goes, and its Raft state stays small."""

from pnyx.lab.scenario import Scenario, add
from pnyx.lab.scenarios.snapshots import COMPACT_BYTES, snapshots

snapshot_basic = add(
    Scenario(
        "R-D1",
        about="every replica snapshots as it goes, and its Raft state stays small",
        source="MIT 6.5840 lab 3D, TestSnapshotBasic",
        nodes=3,
        script=snapshots,
        compact_bytes=COMPACT_BYTES,
    )
)
