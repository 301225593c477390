"""R-X4: a piece of a snapshot comes late, when its receiver is as far with another snapshot."""

from dataclasses import dataclass, replace
from typing import Final

from pnyx.lab.midstream import await_stream
from pnyx.lab.network import Profile
from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import everybody
from pnyx.lab.scenarios.clients import first_leader, over
from pnyx.lab.seat import Seat
from pnyx.lab.stage import WorldStage
from pnyx.lab.watch import Watch
from pnyx.machine.commands import Set
from pnyx.replica.effects import Outbound
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import SnapshotReply

LATENCY_US: Final = 2_000
"""Of a link: so slow that a piece and its answer are surely caught between two looks."""
KEYS: Final = 60
VALUE_BYTES: Final = 100
WRITERS: Final = 5
PIECES_MIN: Final = 10
"""So much is written while these go over that the next snapshot has other rows."""
ROUNDS_MAX: Final = 12
AWAY_US: Final = 600_000
CLOG_US: Final = 4_000_000
ATTEMPT_US: Final = 100_000
THINK_US: Final = 1_000
CONVERGE_US: Final = 20_000_000


@dataclass(slots=True)
class _LatePieces(Watch):
    """Counts pieces that are refused, for the receiver takes in another snapshot."""

    count: int = 0

    def sending(self, seat: Seat, outbound: Outbound) -> None:
        """Only such a refusal wants a stream to begin again."""
        message = outbound.message
        if isinstance(message, SnapshotReply) and message.refused and not message.wanted:
            self.count += 1


@scenario(
    "R-X4",
    about="a late piece of an earlier snapshot is refused, and all nodes hold the same in the end",
    source="bug zoo F12: chunks need a session and an offset",
    nodes=5,
    compact_bytes=8_000,
    profile=Profile(latency_us=LATENCY_US),
    unreliable=True,
    limits=replace(ReplicaLimits(), snapshot_chunk_bytes=1),
)
def late_piece(stage: WorldStage) -> Script:
    """Cut a follower off and write; clog who sends it the state until another sender is as far."""
    yield from first_leader(stage)
    late = _LatePieces()
    stage.world.watches.add(late)
    at_work = [True] * WRITERS
    for writer in range(WRITERS):
        stage.spawn(_write(stage, writer, at_work))
    rounds = 0
    while not late.count and rounds < ROUNDS_MAX:
        rounds += 1
        victim = 1 + stage.below(stage.nodes, "victim")
        stage.isolate(victim)
        yield Sleep(AWAY_US)
        pieces = PIECES_MIN + stage.below(KEYS - PIECES_MIN, "pieces")
        await_stream(stage.world, pieces, stage.now_us + CLOG_US)
        stage.rejoin(victim)
        yield Until(lambda: late.count > 0, CLOG_US)
    for writer in range(WRITERS):
        at_work[writer] = False
    stage.heal()
    agreed = yield Until(lambda: len(_states(stage)) == 1, CONVERGE_US)
    stage.check(agreed, "the nodes did not come to the same state")
    stage.check(late.count > 0, f"no piece came late in {rounds} rounds: nothing was tested")


def _write(stage: WorldStage, writer: int, at_work: list[bool]) -> Script:
    count = 0
    while at_work[writer]:
        count += 1
        key = b"key.%d" % stage.below(KEYS, f"key of {writer}")
        value = b"%d.%d;".ljust(VALUE_BYTES, b"-") % (writer, count)
        node = 1 + stage.below(stage.nodes, f"node of {writer}")
        if stage.running(node):
            yield over(stage.call(node, Set(key, value)), ATTEMPT_US)
        yield Sleep(THINK_US)


def _states(stage: WorldStage) -> set[tuple[int, tuple[bytes | None, ...]]]:
    """Return how far each node has applied, and what it holds then."""
    keys = [b"key.%d" % number for number in range(KEYS)]
    return {
        (stage.applied(node), tuple(stage.stored(node, key) for key in keys))
        for node in everybody(stage)
    }
