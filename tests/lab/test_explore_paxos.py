"""Single-decree Paxos, every run of a small scope: one value, whatever is lost, late or doubled."""

from dataclasses import replace
from typing import Any

import pytest

from pnyx.cli.app import run
from pnyx.consensus.paxos import Accept, Accepted, Acceptor, Durable, Learner, Proposer
from pnyx.errors import SettingsWrong
from pnyx.lab.exploration.decrees import GOALS, SYNOD
from pnyx.lab.exploration.search import Result, Verdict, explore
from pnyx.lab.exploration.synod import Decree, Synod, learnable

ONE_EACH = Decree(rounds=(1, 1))
A_SECOND_TRY = Decree(rounds=(2, 1))


def broken_by(scope: Decree) -> tuple[str, Result]:
    result = explore(scope, subject=SYNOD)
    assert result.verdict is Verdict.BROKEN, result
    assert result.broken is not None
    return result.broken.check.name, result


def situations(scope: Decree) -> set[Any]:
    graph = Synod(scope)
    order = {graph.start: None}
    waiting = list(order)
    for state in waiting:
        for _, after, _ in graph.onward(state):
            if after not in order:
                order[after] = None
                waiting.append(after)
    return {graph.view(state) for state in waiting}


# What is explored.


@pytest.mark.parametrize(
    ("rounds", "states"),
    [
        ((1, 1), 1369),
        ((2, 1), 16_563),
        pytest.param((2, 2), 206_373, marks=pytest.mark.slow),
        pytest.param((1, 1, 1), 43_193, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_no_order_of_events_chooses_two_values(rounds: tuple[int, ...], states: int) -> None:
    result = explore(Decree(rounds=rounds), subject=SYNOD)
    assert result.verdict is Verdict.EXHAUSTED
    assert result.states == states


@pytest.mark.parametrize(("goal", "steps"), [("chosen", 7), ("adopted", 11), ("outvoted", 13)])
def test_what_makes_the_exploration_worth_it_does_happen(goal: str, steps: int) -> None:
    result = explore(ONE_EACH, GOALS[goal], SYNOD)
    assert result.verdict is Verdict.REACHED
    assert len(result.story) == steps


def test_without_a_round_nothing_is_chosen_and_the_reason_is_told() -> None:
    result = explore(Decree(rounds=(0, 0)), GOALS["chosen"], SYNOD)
    assert result.verdict is Verdict.EXHAUSTED
    assert result.closest is not None
    assert result.closest.blocked[0] == "proposer 1 has begun all 0 of its rounds"


def test_a_promise_that_its_proposer_ignores_leads_nowhere_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = situations(ONE_EACH)
    monkeypatch.setattr(Synod, "_heeded", lambda _self, _nodes, sent: sent)
    assert situations(ONE_EACH) == without


def test_learners_of_every_order_of_what_was_accepted_are_judged() -> None:
    scope = Decree(rounds=(1,))
    chosen = [one for one in situations(scope) if learnable(one.accepted, one.quorum)]
    assert chosen
    assert all(len(one.accepted) >= 2 for one in chosen)


# Planted mistakes.


def test_accepting_without_raising_the_promise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """H2: the acceptor takes a lower ballot in place of what may be chosen."""

    def accept(self: Acceptor, message: Accept) -> tuple[Acceptor, Accepted | None]:
        if message.proposal.ballot < self.promised:
            return self, None
        after = replace(self, accepted=message.proposal)
        return after, Accepted(message.proposal, self.me)

    monkeypatch.setattr(Acceptor, "accept", accept)
    name, result = broken_by(A_SECOND_TRY)
    assert name == "one-value-chosen"
    assert not any("crashes" in moment.what for moment in result.story)


def test_a_proposer_that_insists_on_its_own_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """H6: what was accepted before is ignored."""
    monkeypatch.setattr(Proposer, "allowed", lambda self, _promises: self.value)
    name, result = broken_by(ONE_EACH)
    assert name == "one-value-chosen"
    assert result.story[-1].changed.startswith("has accepted")


def test_a_proposer_that_takes_the_lowest_ballot_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """H6: of two accepted values, the one that can not be chosen any more."""

    def allowed(self: Proposer, promises: Any) -> bytes:
        accepted = [one.accepted for one in promises if one.accepted]
        return min(accepted, key=lambda one: one.ballot).value if accepted else self.value

    monkeypatch.setattr(Proposer, "allowed", allowed)
    assert broken_by(A_SECOND_TRY)[0] == "one-value-chosen"


def test_a_learner_that_counts_over_ballots_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """H12: two acceptors, but of different ballots."""

    def accepted(self: Learner, message: Accepted) -> Learner:
        heard = self.heard | {message}
        if self.learned is None and len({one.acceptor for one in heard}) >= self.quorum:
            return Learner(self.quorum, learned=message.proposal.value)
        return self if self.learned is not None else replace(self, heard=heard)

    monkeypatch.setattr(Learner, "accepted", accepted)
    assert broken_by(ONE_EACH)[0] == "learned-is-chosen"


def test_a_learner_that_counts_one_acceptor_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """H12: two messages, but of one acceptor."""

    def accepted(self: Learner, message: Accepted) -> Learner:
        if self.learned is None and message in self.heard:
            return Learner(self.quorum, learned=message.proposal.value)
        return self if self.learned is not None else replace(self, heard=self.heard | {message})

    monkeypatch.setattr(Learner, "accepted", accepted)
    name, result = broken_by(ONE_EACH)
    assert name == "learned-is-chosen"
    assert len(result.story) == 6, "prepare, two promises, heard both, accept: one is enough"


@pytest.mark.parametrize("keeps", ["accepted", "promised"])
def test_an_acceptor_that_forgets_in_a_restart_is_found(
    keeps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H1: it answered before what it answered was durable."""
    forgetful = property(lambda self: Durable(**{keeps: getattr(self, keeps)}))
    monkeypatch.setattr(Acceptor, "durable", forgetful)
    name, result = broken_by(ONE_EACH)
    assert name == "one-value-chosen"
    assert any("crashes" in moment.what for moment in result.story)


# Bad input and the command.


@pytest.mark.parametrize(
    "wrong",
    [{"rounds": ()}, {"rounds": (4, 1)}, {"acceptors": 0}, {"depth_max": 0}, {"states_max": 0}],
    ids=str,
)
def test_a_scope_that_cannot_be_explored_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsWrong):
        Decree(**wrong)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--rounds", "1", "1"], 0, "1,369 states"),
        (["--rounds", "1", "1", "--goal", "adopted"], 0, "reached in 11 steps"),
        (["--rounds", "0", "0", "--goal", "chosen"], 5, "no state is one"),
        (["--states-max", "100"], 7, "bounded: stopped by states_max = 100"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_exit_status_says_how_it_ended(
    words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", "explore", "paxos", *words]) == status
    assert says in capsys.readouterr().out


def test_an_impossible_scope_is_a_usage_error() -> None:
    assert run(["lab", "explore", "paxos", "--rounds", "9", "1"]) == 2
