"""The witness notices what a broken store tells its clients, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lab.storms import SECOND, Storm
from pnyx.lab.invariants.catalogue import INVARIANTS, OF_BALLOTS, OF_SESSIONS
from pnyx.lab.invariants.record import Record
from pnyx.lab.process import Process
from pnyx.lab.sequential import Seen, Sequential
from pnyx.lab.watch import Violation
from pnyx.lab.workload import Ticket, WorkloadSettings
from pnyx.machine.commands import (
    AnyCommand,
    Append,
    Batch,
    Condition,
    Copy,
    Del,
    Expiry,
    Get,
    IncrBy,
    MGet,
    Set,
    Ttl,
)
from pnyx.machine.group import Group
from pnyx.machine.results import OK, Result, Values
from pnyx.machine.transactions import READS
from pnyx.replica.answers import Answers
from pnyx.replica.effects import Now
from pnyx.replica.proposals import Drafted
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Answer, Done, NotDone, Reason, Request, Unknown

Patch = pytest.MonkeyPatch


def _answer_before_commit(patch: Patch) -> None:
    route = Replica._route

    def routes(self: Replica, requests: Sequence[Request], now: Now) -> None:
        for request in requests:
            if request.by_log and self.group.applied.index > 10:
                self._answers.give(request, Done((OK,) * len(request.commands)))
            else:
                route(self, (request,), now)

    patch.setattr(Replica, "_route", routes)


def _refuse_what_was_proposed(patch: Patch) -> None:
    propose = Replica._propose_batch

    def proposes(self: Replica, one: Drafted, now: Now) -> None:
        propose(self, one, now)
        for request in one.requests:
            self._answers.give(request, NotDone(Reason.OVERLOADED))
            request.ticket = None

    patch.setattr(Replica, "_propose_batch", proposes)


def _propose_twice(patch: Patch) -> None:
    propose = Replica._propose_batch

    def proposes(self: Replica, one: Drafted, now: Now) -> None:
        again = [Request(None, request.commands, True, False) for request in one.requests]
        propose(self, one, now)
        propose(self, replace(one, requests=again), now)

    patch.setattr(Replica, "_propose_batch", proposes)


def _answer_twice(patch: Patch) -> None:
    answer_once = Answers.give

    def answers(self: Answers, request: Request, answer: Answer) -> None:
        answer_once(self, request, answer)
        answer_once(self, request, answer)

    patch.setattr(Answers, "give", answers)


def _write_unasked(patch: Patch) -> None:
    submit = Replica.submit

    def submits(self: Replica, requests: Sequence[Request], now: Now) -> None:
        extra = Request(None, (Set(b"key.1", b"nobody;"),), True, True)
        submit(self, (*requests, extra), now)

    patch.setattr(Replica, "submit", submits)


def _tell_another_result(patch: Patch) -> None:
    answer_right = Answers.give

    def answers(self: Answers, request: Request, answer: Answer) -> None:
        if isinstance(answer, Done) and type(request.commands[0]) is Append:
            first, *others = answer.results
            assert isinstance(first, int)
            answer = Done((first + 1, *others))
        answer_right(self, request, answer)

    patch.setattr(Answers, "give", answers)


def _read_without_asking(patch: Patch) -> None:
    route = Replica._route

    def routes(self: Replica, requests: Sequence[Request], now: Now) -> None:
        for request in requests:
            if request.by_log:
                route(self, (request,), now)
            else:
                results = self.group.read(request.commands, 0)
                assert results is not None
                self._answers.give(request, Done(tuple(results)))

    patch.setattr(Replica, "_route", routes)


BREAKS: dict[str, Callable[[Patch], None]] = {
    "done_means_committed": _answer_before_commit,
    "not_done_means_never": _refuse_what_was_proposed,
    "no_request_twice": _propose_twice,
    "answered_once": _answer_twice,
    "nothing_unasked": _write_unasked,
    "results_follow_the_log": _tell_another_result,
    "reads_are_current": _read_without_asking,
}


@pytest.mark.parametrize("name", BREAKS)
def test_an_invariant_fires_when_that_is_broken(name: str, monkeypatch: Patch) -> None:
    BREAKS[name](monkeypatch)
    run = Storm(7, load=WorkloadSettings(clients=6, think_us=20_000, reads=0.7, keys=1)).begin()
    run.rage()
    violation = run.run(5)
    assert violation is not None
    assert (violation.invariant, violation.sentence) == (name, violation.sentence)


BRIEF = WorkloadSettings(clients=6, think_us=20_000, expiring=0.9)


def test_a_read_whose_time_must_be_agreed_first_goes_by_the_log_and_is_judged_there() -> None:
    run = Storm(7, load=BRIEF).begin()
    assert run.run(3) is None
    assert run.marks.counts["read_by_log"] > 5


def test_a_key_that_is_gone_by_one_nodes_clock_only_is_noticed(monkeypatch: Patch) -> None:
    def reads(self: Group, commands: Sequence[AnyCommand], now_ms: int) -> list[Result]:
        keyspace = self._keyspace
        keyspace.estimate_ms = max(now_ms, keyspace.clock_ms)
        return [READS[type(each)](keyspace, each) for each in commands]

    monkeypatch.setattr(Group, "read", reads)
    violation = Storm(7, load=BRIEF).begin().run(5)
    assert violation is not None
    assert violation.invariant == "reads_are_current"


def test_every_invariant_of_clients_has_a_planted_break() -> None:
    names = [each.name for each in INVARIANTS if each not in (*OF_BALLOTS, *OF_SESSIONS)]
    assert set(BREAKS) <= set(names)
    first = names.index("done_means_committed")
    assert set(names[first:]) == set(BREAKS)


# Single answers, told by hand, in a world without clients.


class Desk:
    """A small cluster, and what one could tell the witness of it."""

    def __init__(self) -> None:
        self.run = Storm(2, load=WorkloadSettings(clients=0))
        self.run.begin().run(1)
        self.count = 0

    @property
    def node(self) -> Process:
        return self.run.leader()

    def ask(self, *commands: AnyCommand) -> Ticket:
        """Ask the leader, and give it time to answer."""
        self.count += 1
        now_us = self.run.world.now_us
        ticket = Ticket(9, self.count, self.node.number, commands, now_us)
        writes = any(command.writes for command in commands)
        self.node.submit(Request(ticket, commands, writes, True))
        self.run.world.run(now_us + SECOND // 10)
        assert self.run.world.violation is None
        return ticket

    def pretend(self, answer: Answer, *commands: AnyCommand) -> None:
        """Tell the witness of a request that the replica never saw, and of its answer."""
        self.count += 1
        ticket = Ticket(8, self.count, self.node.number, commands, self.run.world.now_us)
        self.run.witness.submitted(self.node, Request(ticket, commands, False, True))
        self.run.witness.answered(self.node, ticket, answer)


def _broken(act: Callable[[], Any]) -> str:
    with pytest.raises(Violation) as caught:
        act()
    return caught.value.invariant


def test_a_read_of_a_value_that_was_over_before_it_was_asked_is_stale() -> None:
    desk = Desk()
    desk.ask(Set(b"k", b"9.1;"))
    desk.ask(Set(b"k", b"9.2;"))
    desk.pretend(Done((b"9.2;",)), Get(b"k"))
    stale = Done((b"9.1;",))
    assert _broken(lambda: desk.pretend(stale, Get(b"k"))) == "reads_are_current"


def test_a_read_beside_a_write_may_see_either_but_never_the_older_after_the_newer() -> None:
    desk = Desk()
    witness, node = desk.run.witness, desk.node
    desk.ask(Set(b"k", b"9.1;"))
    reads = [Ticket(7, number, node.number, (Get(b"k"),), 0) for number in (1, 2, 3)]
    for ticket in reads[:2]:
        witness.submitted(node, Request(ticket, ticket.commands, False, True))
    desk.ask(Set(b"k", b"9.2;"))
    witness.answered(node, reads[0], Done((b"9.1;",)))
    witness.answered(node, reads[1], Done((b"9.2;",)))
    witness.submitted(node, Request(reads[2], reads[2].commands, False, True))
    again = Done((b"9.1;",))
    assert _broken(lambda: witness.answered(node, reads[2], again)) == "reads_are_current"


def test_values_that_were_never_there_together_are_not_one_read() -> None:
    desk = Desk()
    witness, node = desk.run.witness, desk.node
    both = (MGet((b"a", b"b")),)
    ticket = Ticket(7, 1, node.number, both, 0)
    witness.submitted(node, Request(ticket, both, False, True))
    desk.ask(Set(b"a", b"9.1;"))
    desk.ask(Set(b"b", b"9.2;"))
    mixed = Done((Values((None, b"9.2;")),))
    assert _broken(lambda: witness.answered(node, ticket, mixed)) == "reads_are_current"


def test_counters_are_told_apart_by_their_results() -> None:
    desk = Desk()
    desk.ask(IncrBy(b"count.9", 1))
    desk.ask(IncrBy(b"count.9", 1))
    assert _broken(lambda: desk.pretend(Done((2,)), IncrBy(b"count.9", 1))) == (
        "done_means_committed"
    )


def test_a_conditional_write_that_met_nothing_is_judged_and_marked() -> None:
    desk = Desk()
    desk.ask(Set(b"k", b"9.1;"))
    desk.ask(Set(b"k", b"9.2;", condition=Condition.EQUAL, comparand=b"another"))
    assert "condition_not_met" in desk.run.marks.counts


def test_commands_that_the_dictionary_does_not_know_are_replayed_by_a_machine() -> None:
    desk = Desk()
    desk.ask(Set(b"k", b"9.1;"))
    desk.ask(Copy(b"k", b"copy"))
    desk.ask(Get(b"copy"))
    desk.ask(Set(b"gone", b"9.2;", expiry=Expiry(1, relative=True)))
    desk.ask(Set(b"other", b"9.3;"))
    desk.ask(Get(b"gone"), Get(b"copy"))
    wrong = Done((b"9.9;",))
    assert _broken(lambda: desk.pretend(wrong, Get(b"copy"))) == "reads_are_current"


def test_an_unknown_outcome_may_be_either_and_is_marked() -> None:
    desk = Desk()
    desk.pretend(Unknown(), Set(b"k", b"8.1;"))
    desk.run.witness.finish(())
    assert desk.run.marks.counts["unknown_write_had_no_effect"] == 1


def test_the_dictionary_does_what_redis_does() -> None:
    model = Sequential(Record())
    commands = (
        Append(b"k", b"ab"),
        Append(b"k", b"c"),
        Set(b"k", b"x", condition=Condition.ABSENT),
        Set(b"k", b"y", get=True),
        Del((b"k", b"none")),
        IncrBy(b"n", 5),
        Get(b"n"),
    )
    assert list(model.apply(1, Batch(0, 1 << 20, commands))) == [2, 3, None, b"abc", 1, 5, b"5"]
    assert model.find([Seen(b"n", b"5"), Seen(b"k", None)], 0, 9) == 1
    assert model.find([Seen(b"n", None)], 0, 9) == 0
    assert model.find([Seen(b"n", None)], 1, 9) is None


def test_a_key_is_gone_with_the_first_entry_whose_stamp_is_its_deadline() -> None:
    model = Sequential(Record())
    when = Ttl(b"k", seconds=False, absolute=True)
    stamps: dict[int, tuple[AnyCommand, ...]] = {
        10: (Set(b"k", b"x", expiry=Expiry(5, relative=True)), when),
        14: (Append(b"k", b"y"), when),
        15: (Get(b"k"), when, Append(b"k", b"z"), when),
    }
    told = [
        model.apply(index, Batch(stamp, 1 << 20, commands))
        for index, (stamp, commands) in enumerate(stamps.items(), start=1)
    ]
    assert told == [[OK, 15], [2, 15], [None, -2, 1, -1]]
    assert model.find([Seen(b"k", b"xy"), Seen(b"k", 15, is_deadline=True)], 1, 9) == 2
    assert model.find([Seen(b"k", b"xy")], 3, 9) is None
