"""K-22: a store of one key has a small snapshot, however often a session wrote the key."""

from typing import Final

from pnyx.lab.numbered import numbered
from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.clients import PATIENCE_US, Client, first_leader, session_of
from pnyx.lab.scenarios.memory import SETTLE_US
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Set
from pnyx.transport.numbering import Numbering

ROUNDS: Final = 200
LOG_BYTES: Final = 1_000
SNAPSHOT_BYTES_MAX: Final = 500


@scenario(
    "K-22",
    about="after 400 writes of a session to one key the snapshot has 500 bytes at most, the log "
    "8,000",
    source="MIT 6.5840 lab 4 (kvraft), TestSnapshotSize4B",
    nodes=3,
    compact_bytes=LOG_BYTES,
)
def snapshot_size(stage: WorldStage) -> Script:
    """Put 0 and 1 in turn, read each time; look at log and snapshot of every node."""
    yield from first_leader(stage)
    client = Client(stage, "only")
    numbering = yield from session_of(client, 1)
    for _ in range(ROUNDS):
        for value in (b"0", b"1"):
            yield from _put(client, numbering, value)
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


def _put(client: Client, numbering: Numbering, value: bytes) -> Script:
    number = numbering.take(client.stage.now_us // 1000, PATIENCE_US // 1000)
    assert number is not None, "one write at a time fits into the window"
    results = yield from client.ask(numbered(numbering, number, b"x", Set(b"x", value)))
    client.stage.check(results is not None, "nothing is lost here")
    numbering.settle(number)


def snapshot_bytes(stage: WorldStage, node: int) -> int:
    """Return the bytes of all rows that a snapshot of `node` would stream now."""
    replica = stage.process(node).replica
    assert replica is not None, "only a replica has a state"
    view = replica.group.view()
    size = sum(len(key) + len(value) for key, value in view.rows())
    view.close()
    return size
