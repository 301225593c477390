"""States one may look for, and how far a state is from them.

A distance is 0 where the goal is reached and falls on the way; it only serves to choose which state
to show when the goal is not reached. Members are alike in the beginning, so no goal names one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pnyx.consensus.ready import Entry, Role
from pnyx.errors import SettingsWrong
from pnyx.lab.exploration.facts import Facts, View

_STEPS_TO_LEAD: Final = {
    Role.LEADER: 0,
    Role.CANDIDATE: 1,
    Role.PRE_CANDIDATE: 2,
    Role.FOLLOWER: 3,
}
_FAR: Final = 9


@dataclass(frozen=True, slots=True)
class Goal:
    """A kind of state to look for."""

    name: str
    explain: str
    distance: Callable[[Any], int]
    """Of a view of a state: 0 if the state is one."""


def named_goal(name: str) -> Goal:
    """Return the goal of that name, e.g. "committed" or "leader-in-term-3".

    Raises:
        SettingsWrong: there is none.
    """
    term = re.fullmatch(r"leader-in-term-([1-9])", name)
    if term:
        return leader_in_term(int(term[1]))
    for goal in GOALS:
        if goal.name == name:
            return goal
    names = ", ".join(goal.name for goal in GOALS if not goal.name.startswith("leader-in-term"))
    raise SettingsWrong(
        f"there is no goal {name!r}; nothing was started",
        cause="a goal is a kind of state that the exploration knows to measure",
        next_step=f"choose one of: {names}, leader-in-term-1 to 9",
    )


def leader_in_term(term: int) -> Goal:
    """Return the goal that somebody leads `term` or a later one."""

    def distance(view: View) -> int:
        return min(
            max(0, term - one.term) * 4 + _steps_to_lead(one) if one.term < term
            else _steps_to_lead(one)
            for one in view.members
        )  # fmt: skip

    return Goal(f"leader-in-term-{term}", f"somebody leads term {term} or a later one", distance)


def _steps_to_lead(one: Facts) -> int:
    return _STEPS_TO_LEAD[one.role] if one.is_up else _STEPS_TO_LEAD[Role.FOLLOWER] + 1


def _commands(entries: tuple[Entry, ...]) -> int:
    return sum(1 for entry in entries if entry.payload)


def _uncommitted(view: View) -> int:
    return view.commands - _commands(tuple(entry for entry, _ in view.past.committed))


def _uncommitted_anywhere(view: View) -> int:
    return sum(view.commands - _commands(one.committed) for one in view.members)


def _missing_leaders(view: View) -> int:
    return max(0, 2 - sum(one.leads for one in view.members))


def _from_leading_blindly(view: View) -> int:
    nearest = _FAR
    for one in view.members:
        for entry, term in view.past.committed:
            lacks = entry.index > len(one.log) or one.log[entry.index - 1] != entry
            if lacks:
                nearest = min(nearest, _steps_to_lead(one) + (one.term <= term))
    return nearest


def _from_divergence(view: View) -> int:
    logs = [one.log for one in view.members]
    for place, log in enumerate(logs):
        for other in logs[:place]:
            if any(mine != theirs for mine, theirs in zip(log, other, strict=False)):
                return 0
    # Entries that not everybody has are where another leader's may come.
    lengths = [len(log) for log in logs]
    return 1 if max(lengths) > min(lengths) else 2


def _from_figure_8(view: View) -> int:
    """Return how many more disks an old entry of nobody's present term would have to be on."""
    newest = max(one.term for one in view.members)
    majority = len(view.members) // 2 + 1
    lacking = majority
    for one in view.members:
        for entry in one.durable.entries[len(view.past.committed) :]:
            if entry.term < newest:
                held = sum(entry in other.durable.entries for other in view.members)
                lacking = min(lacking, max(0, majority - held))
    return lacking


GOALS: Final = (
    leader_in_term(1),
    leader_in_term(2),
    Goal("committed", "every command is committed", _uncommitted),
    Goal(
        "committed-everywhere",
        "every member knows that every command is committed",
        _uncommitted_anywhere,
    ),
    Goal(
        "two-leaders",
        "two members believe that they lead, in different terms",
        _missing_leaders,
    ),
    Goal(
        "diverged-logs",
        "two members hold different entries at one index",
        _from_divergence,
    ),
    Goal(
        "old-entry-on-majority",
        "an uncommitted entry of an older term is on a majority of the disks (Raft Fig. 8)",
        _from_figure_8,
    ),
    Goal(
        "leader-without-committed",
        "somebody leads without an entry that was committed in an earlier term (must not be)",
        _from_leading_blindly,
    ),
)
