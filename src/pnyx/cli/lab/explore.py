"""lab explore: every order of events in a small scope, or the shortest way to what was found."""

import json
import sys
import time
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from pnyx.cli.options import Flag
from pnyx.cli.output import show
from pnyx.cli.statuses import NOT_FOUND, OK, UNDECIDED, VIOLATED
from pnyx.lab.exploration.decrees import GOALS, SYNOD
from pnyx.lab.exploration.goals import named_goal
from pnyx.lab.exploration.scope import Scope
from pnyx.lab.exploration.search import Exploration, Result, Verdict
from pnyx.lab.exploration.story import Moment
from pnyx.lab.exploration.synod import Decree

_STATES_A_LOOK: Final = 20_000
_COLUMNS: Final = ("step", "node", "what", "changed")

explore = App(name="explore")


@explore.default
def raft(
    *,
    nodes: int = 3,
    commands: int = 2,
    timeouts: int = 1,
    heartbeats: int = 0,
    crashes: int = 0,
    losses: int = 0,
    duplications: int = 0,
    reorderings: int = 0,
    any_order: Flag = False,
    goal: str = "",
    depth_max: int = 200,
    states_max: int = 1_000_000,
    output: Annotated[Literal["table", "json"], Parameter(name=["--output", "-o"])] = "table",
) -> int:
    """Try every order of events in a small scope: a group that runs Raft.

    Exit status 0 if all was seen and is clean, 6 if a check is broken, 7 if a bound stopped it.
    With a goal: 0 if it is reached, 5 if no state of the scope is one.

    Args:
        nodes: members of the group, 1 to 5.
        commands: how many are proposed, to whoever leads.
        timeouts: how often an election timer fires, on any node.
        heartbeats: how often a heartbeat timer fires, on any leader or candidate.
        crashes: how often a node crashes; it may start again.
        losses: how many messages are lost.
        duplications: how many messages arrive twice.
        reorderings: how many messages overtake an older one of their lane.
        any_order: links keep no order at all.
        goal: a kind of state to look for, e.g. committed, two-leaders, leader-in-term-3.
        depth_max: stop after this many steps.
        states_max: stop after this many states, each about 330 bytes of memory.
        output: table for people, json for programs.
    """
    scope = Scope(
        nodes=nodes,
        commands=commands,
        timeouts=timeouts,
        heartbeats=heartbeats,
        crashes=crashes,
        losses=losses,
        duplications=duplications,
        reorderings=None if any_order else reorderings,
        depth_max=depth_max,
        states_max=states_max,
    )
    return _explored(Exploration(scope, named_goal(goal) if goal else None), output)


@explore.command
def paxos(
    *,
    rounds: Annotated[tuple[int, int], Parameter(negative=())] = (2, 1),
    acceptors: int = 3,
    goal: Literal["chosen", "adopted", "outvoted"] | None = None,
    depth_max: int = 200,
    states_max: int = 1_000_000,
    output: Annotated[Literal["table", "json"], Parameter(name=["--output", "-o"])] = "table",
) -> int:
    """Try every order of events that can happen to two proposers of single-decree Paxos.

    Messages may arrive late, often or never, acceptors may restart. Exit status as of `explore`.

    Args:
        rounds: how many each of the two proposers may begin, 0 to 3.
        acceptors: 1 to 5.
        goal: a kind of state to look for.
        depth_max: stop after this many steps.
        states_max: stop after this many states.
        output: table for people, json for programs.
    """
    scope = Decree(rounds=rounds, acceptors=acceptors, depth_max=depth_max, states_max=states_max)
    return _explored(Exploration(scope, GOALS.get(goal or ""), SYNOD), output)


def _explored(exploration: Exploration, output: str) -> int:
    _watch(exploration)
    result = exploration.result()
    if output == "json":
        print(json.dumps(_fields(result), indent=2))
    else:
        _tell(result)
    return _status(result)


def _watch(exploration: Exploration) -> None:
    started_s = time.monotonic()
    is_watched = sys.stderr.isatty()
    while not exploration.advance(_STATES_A_LOOK):
        if is_watched:
            rate = exploration.states / (time.monotonic() - started_s)
            line = (
                f"{exploration.states:,} states, {exploration.waiting:,} to look at, "
                f"depth {exploration.depth}, {rate:,.0f} states/s"
            )
            print(f"\r{line:<79}", end="", file=sys.stderr, flush=True)
    if is_watched:
        print(f"\r{'':<79}\r", end="", file=sys.stderr, flush=True)


def _status(result: Result) -> int:
    match result.verdict:
        case Verdict.BROKEN:
            return VIOLATED
        case Verdict.BOUNDED:
            return UNDECIDED
        case Verdict.EXHAUSTED if result.goal is not None:
            return NOT_FOUND
        case _:
            return OK


def _tell(result: Result) -> None:
    if result.story:
        show(_rows(result.story), _COLUMNS, "table")
    if result.closest is not None:
        show(_rows(result.closest.story), _COLUMNS, "table")
    for line in _summary(result):
        print(line)


def _summary(result: Result) -> list[str]:
    seen = f"{result.states:,} states, {result.steps:,} steps, depth {result.depth}"
    lines = []
    match result.verdict:
        case Verdict.BROKEN:
            assert result.broken is not None, "something was broken"
            check = result.broken.check
            lines.append(f"broken: {check.name} ({check.source}) after {len(result.story)} steps")
            lines += [f"  {result.broken.detail}", f"  {check.explain}"]
        case Verdict.REACHED:
            assert result.goal is not None, "a goal was reached"
            lines.append(f"reached in {len(result.story)} steps: {result.goal.explain}")
        case Verdict.EXHAUSTED:
            lines.append("exhausted: every state of this scope was seen, every check held")
        case Verdict.BOUNDED:
            lines.append(f"bounded: stopped by {result.bound}, every check held until then")
    if result.closest is not None and result.goal is not None:
        so_far = "no state is one" if result.verdict is Verdict.EXHAUSTED else "not found so far"
        lines.append(f"goal: {result.goal.explain}: {so_far}; the steps above lead closest to it")
        lines += [f"  there, {reason}" for reason in result.closest.blocked]
    return [*lines, seen]


def _rows(story: tuple[Moment, ...]) -> list[dict[str, object]]:
    return [
        {"step": one.number, "node": one.node, "what": one.what, "changed": one.changed or None}
        for one in story
    ]


def _fields(result: Result) -> dict[str, object]:
    broken, closest, goal = result.broken, result.closest, result.goal
    return {
        "verdict": result.verdict.value,
        "bound": result.bound or None,
        "states": result.states,
        "steps": result.steps,
        "depth": result.depth,
        "goal": goal.name if goal else None,
        "broken": broken
        and {
            "check": broken.check.name,
            "source": broken.check.source,
            "explain": broken.check.explain,
            "detail": broken.detail,
        },
        "story": _moments(result.story),
        "closest": closest
        and {
            "distance": closest.distance,
            "story": _moments(closest.story),
            "blocked": list(closest.blocked),
        },
    }


def _moments(story: tuple[Moment, ...]) -> list[dict[str, object]]:
    rows = zip(story, _rows(story), strict=True)
    return [{**row, "sent": list(one.sent)} for one, row in rows]
