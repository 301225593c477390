"""K-22: a store of one key has a small snapshot, however often the key was written."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.clients import Client, first_leader
from pnyx.lab.scenarios.memory import SETTLE_US
from pnyx.lab.stage import WorldStage

ROUNDS: Final = 200
LOG_BYTES: Final = 1_000
SNAPSHOT_BYTES_MAX: Final = 500


@scenario(
    "K-22",
    about="after 400 writes to one key its snapshot has at most 500 bytes, and the log 8,000",
    source="MIT 6.5840 lab 4 (kvraft), TestSnapshotSize4B",
    nodes=3,
    compact_bytes=LOG_BYTES,
)
def snapshot_size(stage: WorldStage) -> Script:
    """Put 0 and 1 in turn, read each time; look at log and snapshot of every node."""
    yield from first_leader(stage)
    client = Client(stage, "only")
    for _ in range(ROUNDS):
        for value in (b"0", b"1"):
            yield from client.put(b"x", value)
            found = yield from client.get(b"x")
            stage.check(found == value, f"{value!r} was put, {found!r} is there")
    yield Sleep(SETTLE_US)
    for node in range(1, stage.nodes + 1):
        stage.budget("bytes of log", stage.log_bytes(node), 8 * LOG_BYTES)
        size = snapshot_bytes(stage, node)
        stage.budget("bytes of snapshot", size, SNAPSHOT_BYTES_MAX, 1)
        replica = stage.process(node).replica
        compacted = replica is not None and replica.consensus.compacted.index > 0
        stage.check(compacted, f"n{node} never compacted its log")


def snapshot_bytes(stage: WorldStage, node: int) -> int:
    """Return the bytes of all rows that a snapshot of `node` would stream now."""
    replica = stage.process(node).replica
    assert replica is not None, "only a replica has a state"
    view = replica.group.view()
    size = sum(len(key) + len(value) for key, value in view.rows())
    view.close()
    return size
