"""K-X3: what a client with a session says of a write that it gave up is never wrong."""

from typing import Final

from pnyx.lab.numbered import numbered
from pnyx.lab.scenario import Call, Script, Sleep, Until, scenario
from pnyx.lab.scenarios.clients import Client, first_leader, over, session_of
from pnyx.lab.scenarios.tokens import Said
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Append
from pnyx.machine.results import Refusal
from pnyx.replica.requests import Done, Elsewhere, NotDone
from pnyx.transport.numbering import Numbering
from pnyx.transport.verdict import Heard, Trail

SESSIONS: Final = 3
WRITERS: Final = 3
"""Of each session, at the same time: they share its window."""
WRITES: Final = 40
"""Of each writer."""
KEYS: Final = (b"k", b"other")
PATIENCE_US: Final = 450_000
"""After that a writer gives up, and says what it knows."""
ATTEMPT_US: Final = 150_000
THINK_US: Final = 200_000
END_US: Final = 90_000_000


@scenario(
    "K-X3",
    about="a write that a client gave up is said to be not applied only if it never is",
    source="client/errors.py, `Timeout`",
    nodes=3,
    compact_bytes=3_000,
)
def given_up(stage: WorldStage) -> Script:
    """Append from sessions whose clients give up soon, in trouble; compare what they said."""
    yield from first_leader(stage)
    said, total = Said(), SESSIONS * WRITERS * WRITES
    for session in range(SESSIONS):
        stage.spawn(_session(stage, session, said))
    stage.spawn(_trouble(stage, said, total))
    ended = yield Until(lambda: said.count == total, END_US)
    stage.check(ended, f"{total - said.count} of {total} writes still wait")
    # Whatever is still on its way arrives, or never does.
    yield Sleep(10_000_000)
    reader = Client(stage, "reader")
    found: list[bytes] = []
    for key in KEYS:
        value = yield from reader.get(key)
        found += value.split(b";")[:-1]
    said.compare(stage, found)
    stage.budget("writes that were answered", len(said.answered), total, total // 3)


def _session(stage: WorldStage, session: int, said: Said) -> Script:
    numbering = yield from session_of(Client(stage, f"clock of {session}"), session)
    for writer in range(WRITERS):
        stage.spawn(_writer(stage, numbering, f"{session}.{writer}", said))


def _writer(stage: WorldStage, numbering: Numbering, writer: str, said: Said) -> Script:
    for step in range(WRITES):
        number = numbering.take(stage.now_us // 1000, PATIENCE_US // 1000)
        assert number is not None, "the writers of a session fit into its window"
        key = KEYS[stage.below(len(KEYS), f"key of {writer}")]
        token = f"{writer}.{step}".encode()
        write = Append(key, token + b";")
        trail = Trail(changes=True, in_session=True)
        ends_us = stage.now_us + PATIENCE_US
        is_done = False
        node = 1 + stage.below(stage.nodes, f"first node of {writer}")
        is_faithful = stage.below(2, f"faith of {writer}") == 0
        while stage.now_us < ends_us and not is_done:
            if not is_faithful:
                node = 1 + stage.below(stage.nodes, f"node of {writer}")
            if stage.running(node):
                call = stage.call(node, numbered(numbering, number, key, write))
                yield over(call, ATTEMPT_US)
                is_done = _heard(stage, call, trail)
            yield Sleep(stage.below(THINK_US, f"thought of {writer}"))
        numbering.settle(number)
        said.note(None if is_done else trail.outcome, token)


def _heard(stage: WorldStage, call: Call, trail: Trail) -> bool:
    """Return whether the write was answered; else note what the attempt came to."""
    if isinstance(call.answer, Done):
        result = call.answer.results[0]
        stage.check(not isinstance(result, Refusal), str(result))
        return True
    refused = isinstance(call.answer, NotDone | Elsewhere)
    trail.heard(Heard.NOTHING_DONE if refused else Heard.DOUBT)
    return False


def _trouble(stage: WorldStage, said: Said, total: int) -> Script:
    while said.count < total:
        yield Sleep(300_000 + stage.below(600_000, "calm"))
        leader = stage.leader()
        node = 1 + stage.below(stage.nodes, "victim")
        if leader is not None and stage.below(2, "at the leader"):
            node = leader
        kind = stage.below(3, "trouble")
        (stage.crash, stage.isolate, stage.pause)[kind](node)
        yield Sleep(300_000 + stage.below(1_200_000, "trouble lasts"))
        (stage.restart, stage.rejoin, stage.resume)[kind](node)
