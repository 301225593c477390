"""Exhaustive exploration: does it see everything, find what is planted, and say what stopped it?"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pnyx.cli.app import run
from pnyx.consensus.quorum import reached
from pnyx.consensus.raft import election, leader
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Ready
from pnyx.errors import SettingsWrong
from pnyx.ids import Index
from pnyx.lab.exploration import cores, member as member_module
from pnyx.lab.exploration.checks import CHECKS, Broken
from pnyx.lab.exploration.facts import Facts, Past
from pnyx.lab.exploration.goals import GOALS, named_goal
from pnyx.lab.exploration.graph import Graph, State, Step
from pnyx.lab.exploration.member import Member, Sync, could_happen, stepped
from pnyx.lab.exploration.scope import Cost, Scope
from pnyx.lab.exploration.search import Exploration, Result, Verdict, explore

EVERYTHING = Scope(
    nodes=2,
    commands=1,
    timeouts=1,
    heartbeats=1,
    crashes=1,
    losses=1,
    duplications=1,
    reorderings=1,
)


def walked(scope: Scope, states_max: int = 10_000) -> tuple[Graph, list[State], list[Step]]:
    """All states of a scope, breadth first, and every step between them."""
    graph = Graph(scope)
    states, steps = {graph.start: None}, []
    order = [graph.start]
    for state in order:
        for step, after, broken in graph.onward(state):
            assert broken is None
            steps.append(step)
            if after not in states and len(states) < states_max:
                states[after] = None
                order.append(after)
    return graph, order, steps


def situations(scope: Scope) -> set[tuple[tuple[Facts, ...], Past]]:
    """What members and the past can be, whatever is in flight."""
    graph, states, _ = walked(scope, 200_000)
    views = [graph.view(state) for state in states]
    return {(view.members, view.past) for view in views}


# Ends.


def test_a_member_alone_commits_three_commands_in_exactly_six_steps() -> None:
    result = explore(Scope(nodes=1, commands=3), named_goal("committed"))
    assert result.verdict is Verdict.REACHED
    assert len(result.story) == 6
    assert result.story[-1].what == "4 writes of 1 are durable at once"


def test_what_takes_six_steps_is_not_found_in_five_and_the_closest_state_is_told() -> None:
    result = explore(Scope(nodes=1, commands=3, depth_max=5), named_goal("committed"))
    assert (result.verdict, result.bound) == (Verdict.BOUNDED, "depth_max = 5")
    assert result.closest is not None
    assert result.closest.distance == 1
    assert len(result.closest.story) == 5


def test_a_small_scope_is_exhausted_and_clean() -> None:
    result = explore(Scope(nodes=3, commands=0))
    assert result.verdict is Verdict.EXHAUSTED
    assert result.states > 1000
    assert result.story == ()


@pytest.mark.slow
def test_three_members_and_a_command_are_exhausted_at_speed() -> None:
    result = explore(Scope(nodes=3, commands=1))
    assert result.verdict is Verdict.EXHAUSTED
    assert result.states > 50_000


def test_a_large_scope_is_bounded_by_its_states() -> None:
    result = explore(Scope(nodes=5, commands=2, timeouts=3, crashes=1, states_max=3000))
    assert (result.verdict, result.bound) == (Verdict.BOUNDED, "states_max = 3000")
    assert result.states == 3000


def test_the_same_scope_gives_the_same_result() -> None:
    def once() -> Result:
        return explore(
            Scope(nodes=3, commands=1, timeouts=2, states_max=5000), named_goal("committed")
        )

    assert once() == once()


def test_a_search_goes_on_piece_by_piece() -> None:
    exploration = Exploration(Scope(nodes=1, commands=1))
    assert not exploration.advance(2)
    assert exploration.waiting > 0
    assert exploration.advance(1000)
    assert exploration.result().verdict is Verdict.EXHAUSTED


# Goals.


def test_a_goal_that_needs_a_second_election_names_the_budget_that_stops_it() -> None:
    result = explore(Scope(nodes=2, commands=0), named_goal("leader-in-term-2"))
    assert result.verdict is Verdict.EXHAUSTED
    assert result.closest is not None
    assert result.closest.blocked[0] == "all 1 timeouts of the scope are used up"
    assert result.closest.story[-1].changed.startswith("leader")


@pytest.mark.slow
def test_logs_can_diverge_but_nobody_leads_without_what_was_committed() -> None:
    scope = Scope(nodes=3, commands=0, logs=((1,), (1,), ()), committed=1)
    assert explore(scope, named_goal("diverged-logs")).verdict is Verdict.EXHAUSTED
    blind = explore(scope, named_goal("leader-without-committed"))
    assert blind.verdict is Verdict.EXHAUSTED
    uncommitted = Scope(nodes=3, commands=0, logs=((1,), (), ()))
    assert explore(uncommitted, named_goal("diverged-logs")).verdict is Verdict.REACHED


def test_an_old_entry_comes_to_be_on_a_majority_as_in_figure_8() -> None:
    scope = Scope(nodes=3, commands=0, logs=((1, 2), (1,), (1, 3)), committed=1)
    result = explore(scope, named_goal("old-entry-on-majority"))
    assert result.verdict is Verdict.REACHED
    assert len(result.story) > 8


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.name)
def test_no_goal_is_reached_before_anything_happened(goal: Any) -> None:
    graph = Graph(Scope())
    assert goal.distance(graph.view(graph.start)) > 0


# What is explored.


def test_every_kind_of_step_happens() -> None:
    rivals = Scope(nodes=3, commands=0, timeouts=2)
    steps = [step for scope in (EVERYTHING, rivals) for step in walked(scope)[2]]
    kinds = Counter(type(step.happening).__name__ for step in steps)
    kinds["copy"] = sum(step.is_copy for step in steps)
    kinds["late"] = sum(getattr(step.happening, "is_late", False) for step in steps)
    syncs = [step.happening for step in steps if isinstance(step.happening, Sync)]
    kinds["group commit"] = sum(sync.count > 1 for sync in syncs)
    wanted = {"Deliver", "Sync", "TimeOut", "Beat", "Propose", "Crash", "Restart", "Lose"}
    assert wanted | {"copy", "late", "group commit"} <= set(+kinds)


@pytest.mark.parametrize("cost", Cost)
def test_every_budget_opens_states_that_were_closed(cost: Cost) -> None:
    little: dict[str, Any] = {"nodes": 2, "commands": 0, "timeouts": 1}
    more = little | {cost.plural: little.get(cost.plural, 0) + 1}
    assert explore(Scope(**more)).states > explore(Scope(**little)).states


def test_links_without_order_reach_whatever_ordered_links_reach() -> None:
    base: dict[str, Any] = {"nodes": 2, "commands": 1, "timeouts": 2}
    assert situations(Scope(**base)) < situations(Scope(**base, reorderings=None))


def test_a_message_that_is_never_delivered_is_as_good_as_a_lost_one() -> None:
    base: dict[str, Any] = {"nodes": 2, "commands": 1, "timeouts": 1, "reorderings": None}
    assert situations(Scope(**base, losses=1)) == situations(Scope(**base))


def test_one_ready_after_a_step_leaves_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Raft.ready

    def ready(self: Raft) -> Ready | None:
        first = asked(self)
        assert asked(self) is None, "a second batch was waiting"
        return first

    monkeypatch.setattr(Raft, "ready", ready)
    assert len(walked(EVERYTHING)[1]) == 10_000


# Copies.


def test_a_step_leaves_the_member_it_started_from_as_it_was() -> None:
    graph, states, _ = walked(Scope(nodes=2, commands=1))
    checked = 0
    for number in sorted({number for state in states for number in state[:2]}):
        one: Member = graph._members.things[number]
        before = one.told_apart()
        for happening in could_happen(one):
            stepped(one, happening)
            checked += 1
        assert one.told_apart() == before
    assert checked > 100


def test_members_that_are_told_alike_behave_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    numbered = Graph._member

    def outcome(one: Member) -> list[Any]:
        after = [stepped(one, happening) for happening in could_happen(one)]
        return [(each.member.told_apart(), each.sent, each.broken) for each in after]

    def compare(self: Graph, one: Member) -> int:
        nonlocal compared
        known = len(self._facts)
        number = numbered(self, one)
        other = self._members.things[number]
        if number < known and other is not one:
            compared += 1
            assert outcome(one) == outcome(other)
        return number

    monkeypatch.setattr(Graph, "_member", compare)
    walked(EVERYTHING, 3000)
    assert compared > 100


def test_a_clock_that_nobody_listed_stops_the_exploration() -> None:
    @dataclass(slots=True)
    class Later:
        surprise_ms: int = 0

    with pytest.raises(AssertionError, match="surprise_ms"):
        cores._fields(Later)


# Planted bugs.


def commit_by_counting(raft: RaftState) -> None:
    held = {peer: progress.match for peer, progress in raft.peers.items()}
    held[raft.me] = raft.writes.durable_index
    raft.commit_to(Index(reached(held, raft.log.membership)))


def send_at_once(raft: RaftState, _write_id: int, to: Any, message: Any) -> None:
    raft.post(to, message)


def broken_by(result: Result) -> str:
    assert result.verdict is Verdict.BROKEN, result
    assert result.broken is not None
    return result.broken.check.name


def test_committing_an_old_entry_by_counting_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    scope = Scope(nodes=3, commands=0, logs=((1,), (1,), ()))
    assert explore(scope).verdict is Verdict.EXHAUSTED
    monkeypatch.setattr(leader, "maybe_commit", commit_by_counting)
    result = explore(scope)
    assert broken_by(result) == "own-term-commits"
    # Elected (7), appended and synced at the other, acknowledged; its own disk still lags.
    assert len(result.story) == 10


def test_a_vote_that_leaves_before_it_is_durable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RaftState, "promise", send_at_once)
    result = explore(Scope(nodes=3, commands=0))
    assert broken_by(result) == "durable-before-promised"
    assert len(result.story) == 3, "time out, ask, hear that the vote would be won"


@pytest.mark.slow
def test_the_second_vote_of_a_forgetful_voter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    silent: Callable[..., Broken | None] = lambda *_: None  # noqa: E731
    monkeypatch.setattr(RaftState, "promise", send_at_once)
    monkeypatch.setattr(member_module, "left_too_early", silent)
    result = explore(Scope(nodes=3, commands=0, timeouts=2, crashes=1))
    assert broken_by(result) == "one-vote-a-term"
    assert any("crashes" in moment.what for moment in result.story)


def test_a_vote_for_a_shorter_log_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    scope = Scope(nodes=3, commands=0, logs=((1,), (1,), ()), committed=1)
    monkeypatch.setattr(election, "_is_up_to_date", lambda *_: True)
    result = explore(scope)
    assert broken_by(result) == "leader-completeness"
    assert len(result.story) == 7, "time out, pre-vote, vote: nothing shorter elects anybody"
    assert result.story[-1].changed.startswith("leader")


def test_every_check_has_a_source_and_a_sentence() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.source and check.explain.endswith(".") for check in CHECKS)


# Bad input and the command.


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": 0},
        {"nodes": 6},
        {"crashes": -1},
        {"depth_max": 0},
        {"states_max": 10**9},
        {"logs": ((1,),)},
        {"logs": ((1,), (), ()), "committed": 1},
    ],
    ids=str,
)
def test_a_scope_that_cannot_be_explored_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsWrong):
        Scope(**wrong)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--nodes", "1", "--commands", "3", "--goal", "committed"], 0, "reached in 6 steps"),
        (["--nodes", "2", "--commands", "0"], 0, "exhausted"),
        (["--nodes", "2", "--commands", "0", "--goal", "two-leaders"], 5, "no state is one"),
        (["--states-max", "100"], 7, "bounded: stopped by states_max = 100"),
        (["--nodes", "2", "--commands", "0", "-o", "json"], 0, '"verdict": "exhausted"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_exit_status_says_how_it_ended(
    words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", "explore", *words]) == status
    assert says in capsys.readouterr().out


def test_a_broken_check_is_told_with_its_story(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(RaftState, "promise", send_at_once)
    assert run(["lab", "explore"]) == 6
    out = capsys.readouterr().out
    assert "broken: durable-before-promised" in out
    assert "is forgotten by a crash" in out


@pytest.mark.parametrize("words", [["--goal", "nonsense"], ["--nodes", "9"]], ids=str)
def test_an_unknown_goal_and_an_impossible_scope_are_usage_errors(words: list[str]) -> None:
    assert run(["lab", "explore", *words]) == 2
