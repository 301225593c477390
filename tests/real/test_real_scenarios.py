"""Scenario files on real processes: the same scripts, in real time."""

import os
from collections.abc import Generator
from typing import Any, Final

import hiredis
import pytest

from pnyx.harness.realstage import answer_of, play
from pnyx.harness.words import NoWords, words_of
from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.scenario import Failed, Scenario, Script, Sleep, Stage, Step, Until
from pnyx.machine.commands import Append, Condition, FlushAll, Get, IncrBy, Set
from pnyx.machine.results import OK
from pnyx.replica.requests import Done, NotDone, Reason, Unknown

pytestmark = [pytest.mark.real]

FRESH: Final = int(os.environ.get("PNYX_SEED") or int.from_bytes(os.urandom(4)))
QUICK: Final = ("K-4", "K-6")
"""Partitions and crashes; each some twenty seconds."""
MARKED: Final = [each.id for each in all_scenarios() if each.real]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("identifier", QUICK)
def test_the_scenario_holds_on_real_processes(identifier: str) -> None:
    result = play(scenario_named(identifier), FRESH)
    assert result.ok, f"{identifier} with seed {FRESH}: {result.failed}"


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("identifier", [each for each in MARKED if each not in QUICK])
def test_the_other_marked_scenarios_hold_on_real_processes(identifier: str) -> None:
    result = play(scenario_named(identifier), FRESH)
    assert result.ok, f"{identifier} with seed {FRESH}: {result.failed}"


def _everything(stage: Stage) -> Script:
    """Use every act that a stage of processes has, and see that it has its effect."""
    yield Until(lambda: stage.leader() is not None, 10_000_000)
    leader = stage.leader() or 1
    other = leader % stage.nodes + 1
    for act, undo in (
        (stage.isolate, stage.rejoin),
        (stage.pause, stage.resume),
        (stage.crash, stage.restart),
    ):
        act(leader)
        moved = yield from _moved(stage, leader)
        stage.check(moved, f"nobody took over after {act.__name__} of n{leader}")
        yield from _written(stage, other)
        undo(leader)
        yield from _followed(stage, leader)
        yield Sleep(stage.election_us)
        leader = stage.leader() or 1
        other = leader % stage.nodes + 1
    for source in range(1, stage.nodes + 1):
        if source != leader:
            # Its followers hear it no more, and it hears them.
            stage.cut(leader, source)
    moved = yield from _moved(stage, leader)
    stage.check(moved, f"nobody took over from n{leader}, whom nobody hears")
    stage.heal()
    stage.reliable(reliable=False)
    began_us = stage.now_us
    yield from _written(stage, other)
    stage.check(stage.now_us - began_us > 13_000, "an unreliable link was as fast as any")
    raise Failed("seen all")


def _moved(stage: Stage, leader: int) -> Generator[Step, Any, Any]:
    return (yield Until(lambda: stage.leader() not in {None, leader}, 10_000_000))


def _followed(stage: Stage, node: int) -> Script:
    followed = yield Until(lambda: stage.term(node) > 0, 10_000_000)
    stage.check(followed, f"n{node} did not come back")


def _written(stage: Stage, node: int) -> Script:
    def done() -> bool:
        return isinstance(calls[-1].answer, Done)

    calls = [stage.call(node, Set(b"k", b"v"), Get(b"k"))]
    while not done():
        yield Until(lambda: calls[-1].over, 10_000_000)
        if not done():
            yield Sleep(50_000)
            calls.append(stage.call(node, Set(b"k", b"v"), Get(b"k")))
    stage.check(calls[-1].answer == Done((OK, b"v")), f"{calls[-1].answer}")


@pytest.mark.timeout(120)
def test_every_act_of_a_stage_has_its_effect_on_processes() -> None:
    scenario = Scenario("T-1", "a test", "here", 3, _everything, real=True, limit_us=90_000_000)
    assert play(scenario, 1, proxied=True).failed == "seen all"


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([b"OK", b"v"], Done((OK, b"v"))),
        ([None, None], Done((None, None))),
        ([hiredis.ReplyError("UNKNOWN PX0203"), b"v"], Unknown()),
        ([hiredis.ReplyError("CLUSTERDOWN PX0107")] * 2, NotDone(Reason.NO_QUORUM)),
        ([b"OK", hiredis.ReplyError("CLUSTERDOWN PX0107")], Unknown()),
    ],
)
def test_replies_mean_what_a_replica_would_have_answered(replies: list[Any], expected: Any) -> None:
    assert answer_of((Set(b"k", b"v"), Get(b"k")), replies) == expected


def test_commands_are_sent_as_redis_has_them() -> None:
    compare = Set(b"k", b"2", condition=Condition.EQUAL, comparand=b"1")
    assert words_of(compare) == ["SET", b"k", b"2", "IFEQ", b"1"]
    assert words_of(Append(b"k", b"v")) == ["APPEND", b"k", b"v"]
    assert words_of(IncrBy(b"k", -1)) == ["INCRBY", b"k", -1]
    with pytest.raises(NoWords, match="FlushAll"):
        words_of(FlushAll())
