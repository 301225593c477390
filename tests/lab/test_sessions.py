"""Clients with sessions: their judges see every break, and the black box sees what they saw."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab.storms import Storm
from pnyx.gateway import outcomes
from pnyx.lab.invariants.catalogue import OF_SESSIONS
from pnyx.lab.judge import judges, watched
from pnyx.lab.linearizability import judge
from pnyx.lab.operation import heard_of
from pnyx.lab.recording import history_of
from pnyx.lab.remembered import Remembered
from pnyx.lab.run import run
from pnyx.lab.shrink import shrink
from pnyx.lab.swarm import LATER_FROM_SEED, draw
from pnyx.lab.workload import WorkloadSettings
from pnyx.machine import transactions
from pnyx.machine.commands import Append, Sequenced, Set
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.once import ACKNOWLEDGED, DEADLINE_PASSED, DEADLINE_TOO_FAR, done_once
from pnyx.machine.results import Result
from pnyx.machine.sessions import DEADLINE_AHEAD_MS_MAX, Sessions
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.requests import Done, NotDone, Unknown
from pnyx.transport.verdict import Heard, Trail, heard_in

Patch = pytest.MonkeyPatch
LOAD = WorkloadSettings(
    clients=4,
    think_us=30_000,
    reads=0.0,
    keys=1,
    appends=0.0,
    life_ms=400,
    attempt_us=120_000,
    patience_us=350_000,
)
IMPATIENT = replace(ReplicaLimits(), park_ms=60)
"""Nodes that find no leader say so before their clients lose patience."""


def _stormy() -> Storm:
    storm = Storm(11, limits=IMPATIENT, load=LOAD).begin()
    storm.rage()
    return storm


def test_what_the_judges_of_sessions_look_for_happens_and_all_is_well() -> None:
    storm = _stormy()
    assert storm.run(6) is None
    assert storm.marks.never(each.sometimes for each in OF_SESSIONS) == []
    said = {ticket.operation.said for ticket in storm.clients.tickets if ticket.operation}
    assert said == {None, "unknown", "not_applied"}


def _done_again_in_silence(patch: Patch) -> None:
    def done(keyspace: Keyspace, command: Sequenced, rules: Any) -> Result:
        record = keyspace.sessions.record(
            keyspace.sessions.place(command.slot, command.session), keyspace.clock_ms
        )
        is_done = record is not None and any(
            each.sequence == command.sequence for each in record.kept
        )
        if is_done and isinstance(command.command, Set):
            rules[Set](keyspace, command.command)
        return done_once(keyspace, command, rules)

    patch.setattr(transactions, "done_once", done)


def _late_ones_done(patch: Patch) -> None:
    def done(keyspace: Keyspace, command: Sequenced, rules: Any) -> Result:
        if command.deadline_ms <= keyspace.clock_ms:
            return rules[type(command.command)](keyspace, command.command)  # type: ignore[no-any-return]
        return done_once(keyspace, command, rules)

    patch.setattr(transactions, "done_once", done)


def _another_answer(patch: Patch) -> None:
    answer = Sessions.answer

    def answers(self: Sessions, *where: Any) -> Result:
        told = answer(self, *where)
        return told + 1 if isinstance(told, int) else 0

    patch.setattr(Sessions, "answer", answers)


def _silence_means_nothing_was_done(patch: Patch) -> None:
    patch.setattr(Trail, "heard", lambda *_: None)


BREAKS: dict[str, Callable[[Patch], None]] = {
    "session_write_done_once": _done_again_in_silence,
    "late_session_write_refused": _late_ones_done,
    "retry_gets_first_answer": _another_answer,
    "not_applied_means_never": _silence_means_nothing_was_done,
}


@pytest.mark.parametrize("name", BREAKS)
def test_an_invariant_of_sessions_fires_when_that_is_broken(name: str, monkeypatch: Patch) -> None:
    BREAKS[name](monkeypatch)
    violation = _stormy().run(6)
    assert violation is not None
    assert (violation.invariant, violation.sentence) == (name, violation.sentence)


def test_every_invariant_of_sessions_has_a_planted_break() -> None:
    assert {each.name for each in OF_SESSIONS} == set(BREAKS)


def test_a_part_of_the_swarm_has_sessions_and_none_of_its_first_seeds() -> None:
    later = [draw(seed) for seed in range(LATER_FROM_SEED, LATER_FROM_SEED + 40)]
    assert 5 < sum(plan.workload.life_ms > 0 for plan in later) < 20
    assert not any(draw(seed).workload.life_ms for seed in range(40))
    assert "writes in sessions" in str(next(plan for plan in later if plan.workload.life_ms))


@pytest.mark.parametrize("seed", [1001, 1007])
def test_the_black_box_sees_one_operation_however_often_it_was_sent(seed: int) -> None:
    outcome = watched(draw(seed))
    assert outcome.violation is None
    tickets = outcome.clients.tickets
    assert any(ticket.attempt > 1 for ticket in tickets)
    history = history_of(tickets)
    assert len(history.operations()) <= sum(3 for each in tickets if each.attempt == 1)
    assert judge(history).word == "linearizable"


def test_a_run_with_sessions_is_shrunk(monkeypatch: Patch) -> None:
    _another_answer(monkeypatch)
    plan = draw(1001)
    caught = run(plan, judges(plan))
    smallest = shrink(caught, lambda fewer: run(fewer, judges(fewer)), runs_max=40)
    assert caught.violation is not None
    assert smallest.outcome.violation is not None
    assert smallest.outcome.violation.invariant == caught.violation.invariant
    # A write and its second attempt.
    assert 2 <= smallest.requests < caught.requests


def test_what_an_attempt_proves_is_what_the_replies_of_a_node_say() -> None:
    for reason, refusal in outcomes.NOT_DONE.items():
        assert heard_in(refusal.text) is not Heard.DOUBT, reason
        assert heard_of(NotDone(reason)) is Heard.NOTHING_DONE
    assert heard_in(outcomes.UNKNOWN.text) is heard_of(Unknown()) is Heard.DOUBT
    assert heard_of(None) is Heard.DOUBT
    assert heard_of(Done((DEADLINE_PASSED,))) is Heard.NOTHING_DONE
    for late in (DEADLINE_PASSED, ACKNOWLEDGED):
        assert heard_in(late.text) is Heard.LATE


def test_what_was_done_is_remembered_until_it_is_acknowledged_or_late() -> None:
    remembered, done = Remembered(), iter(range(1, 9))

    def asked(sequence: int, ack: int, clock_ms: int = 0) -> Result:
        write = Sequenced(1, b"s" * 16, b"u", sequence, ack, 100, 0, Append(b"k", b"v"))
        return remembered.once(write, clock_ms, lambda: next(done))

    assert [asked(1, 0), asked(1, 0), asked(2, 0), asked(1, 1)] == [1, 1, 2, 1]
    assert [asked(3, 1), asked(1, 0), asked(4, 4)] == [3, ACKNOWLEDGED, ACKNOWLEDGED]
    assert asked(2, 0, clock_ms=100) == DEADLINE_PASSED


def test_a_deadline_too_far_ahead_is_refused_where_it_stands_and_leaves_nothing() -> None:
    # Seed 21133: the clock had been set back by an hour.
    remembered = Remembered()
    write = Sequenced(1, b"s" * 16, b"u", 1, 0, DEADLINE_AHEAD_MS_MAX + 1, 0, Append(b"k", b"v"))
    assert remembered.once(write, 0, lambda: 1) == DEADLINE_TOO_FAR
    assert not remembered.done
    assert remembered.once(write, 1, lambda: 1) == 1
