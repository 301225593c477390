"""What the scenarios of members share: changes asked for until they are done, and who is what."""

from typing import Any, Final

from pnyx.consensus.membership import Membership
from pnyx.ids import NodeId
from pnyx.lab.invariants import facts
from pnyx.lab.invariants.facts import EngineState
from pnyx.lab.scenario import Failed, Script, Sleep, Until
from pnyx.lab.stage import WorldStage
from pnyx.lab.surroundings import Condition
from pnyx.replica.changes import Add, Change
from pnyx.replica.requests import Done

CHANGE_US: Final = 10_000_000
AGAIN_US: Final = 50_000
STOP_US: Final = 3_000_000


def changed(stage: WorldStage, change: Change, within_us: int = CHANGE_US) -> Script:
    """Ask whoever leads until `change` is done: asked again it goes on where it was."""
    deadline_us = stage.now_us + within_us
    told: Any = "nobody led"
    while stage.now_us < deadline_us:
        leader = stage.leader()
        if leader is not None:
            call = stage.change(leader, change)
            yield Until(lambda: call.over, deadline_us - stage.now_us)  # noqa: B023
            if isinstance(call.answer, Done):
                return
            told = call.answer
        yield Sleep(AGAIN_US)
    raise Failed(f"{change} was not done within {within_us / 1e6:g} s, but {told}")


def added(stage: WorldStage) -> int:
    """Start a new node beside the others; return its number. It is no member yet."""
    return stage.world.add().number


def add_of(stage: WorldStage, number: int) -> Add:
    """Return the change that makes a node a voter."""
    return Add(stage.process(number).label, stage.process(number).node)


def node_of(stage: WorldStage, number: int) -> NodeId:
    """Return whom the members know that node as, since its disk was new."""
    return stage.process(number).node


def state_of(stage: WorldStage, number: int) -> EngineState:
    """Return the state of a node's consensus, whichever engine it is; the node runs."""
    replica = stage.process(number).replica
    assert replica is not None, "a running node has a replica"
    return facts.state_of(replica)


def members(stage: WorldStage) -> Membership:
    """Return whom the leader counts; nobody while none leads."""
    leader = stage.leader()
    return Membership(()) if leader is None else state_of(stage, leader).log.membership


def numbers_of(stage: WorldStage, nodes: tuple[NodeId, ...]) -> list[int]:
    """Return which nodes those are."""
    return sorted(number for number in stage.world.processes if node_of(stage, number) in nodes)


def is_gone(stage: WorldStage, number: int, words: str) -> Script:
    """Wait until a node has stopped itself because it is no member, and said so."""
    process = stage.process(number)
    stopped = yield Until(lambda: process.condition is Condition.FAILED, STOP_US)
    stage.check(stopped, f"n{number} is no member and runs on")
    stage.check(words in process.why_failed, f"n{number} stopped and says: {process.why_failed}")
