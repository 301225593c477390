"""A path through states as text: what happened, to whom, and what changed by it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from pnyx.consensus.ready import Entry
from pnyx.lab.exploration.facts import Facts, Flight
from pnyx.lab.exploration.graph import Graph, Lose, Onward, State, Step
from pnyx.lab.exploration.member import (
    Beat,
    Crash,
    Deliver,
    Happening,
    Propose,
    Restart,
    Sync,
    TimeOut,
)
from pnyx.lab.exploration.scope import Cost


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of a story."""

    number: int
    """From 1."""
    node: int
    what: str
    """What happened."""
    changed: str
    """What the member is now that it was not before; may be empty."""
    sent: tuple[str, ...]
    """The messages that left."""


def told(graph: Graph, path: Sequence[State], last: Onward | None) -> tuple[Moment, ...]:
    """Tell the path through these states; `last` is a step beyond them."""
    moments = []
    for number, (state, after) in enumerate(pairwise(path), start=1):
        onward = next(one for one in graph.onward(state) if one[1] == after)
        moments.append(_moment(graph, number, state, onward))
    if last is not None:
        moments.append(_moment(graph, len(path), path[-1], last))
    return tuple(moments)


def blocked(graph: Graph, state: State) -> tuple[str, ...]:
    """Say what cannot happen in a state, or not any more."""
    left = dict(zip(Cost, graph.budget(state), strict=True))
    scope = graph.scope
    members = graph.view(state).members
    reasons = [
        f"all {getattr(scope, cost.plural)} {cost.plural} of the scope are used up"
        for cost in Cost
        if getattr(scope, cost.plural) and left[cost] == 0
    ]
    absent = [cost.plural for cost in Cost if getattr(scope, cost.plural) == 0]
    if absent:
        reasons.append(f"the scope has no {', '.join(absent)}")
    if left[Cost.COMMAND] and not any(one.leads for one in members):
        reasons.append("nobody leads: a command would be refused")
    down = [str(one.node) for one in members if not one.is_up]
    if down:
        reasons.append(f"down: {', '.join(down)}")
    if not graph.in_flight(state):
        reasons.append("no message is in flight")
    return tuple(reasons)


def _moment(graph: Graph, number: int, state: State, onward: Onward) -> Moment:
    step, after, _ = onward
    before = graph.view(state).members[step.place]
    left = Counter(graph.in_flight(after))
    left.subtract(graph.in_flight(state))
    sent = tuple(
        f"{_message(flight.message)} to {flight.to}"
        for flight, count in left.items()
        for _ in range(count)
    )
    changed = _changed(before, graph.view(after).members[step.place])
    return Moment(number, before.node, _what(step, before), changed, sent)


def _what(step: Step, before: Facts) -> str:
    happening, node = step.happening, before.node
    if isinstance(happening, Lose):
        return f"{_flight(happening.flight)} is lost"
    text = _happening(happening, before)
    if isinstance(happening, Deliver) and happening.is_late:
        text += f", when {node} is no longer loyal to its leader"
    return text + (" (and stays in flight)" if step.is_copy else "")


def _happening(happening: Happening, before: Facts) -> str:
    node, text = before.node, ""
    match happening:
        case Deliver(sender=sender, message=message):
            text = f"{node} gets {_message(message)} from {sender}"
        case Sync(count=1):
            text = f"the oldest write of {node} is durable"
        case Sync(count=count):
            text = f"{count} writes of {node} are durable at once"
        case TimeOut():
            text = f"{node} heard nobody for an election timeout"
        case Beat():
            text = f"{node} repeats itself: the heartbeat timer fires"
        case Propose(payload=payload):
            text = f"command {payload.decode()} is proposed to {node}"
        case Crash():
            text = f"{node} crashes"
        case Restart():
            text = f"{node} starts from its disk"
    return text


def _changed(before: Facts, after: Facts) -> str:
    parts = []
    if before.term != after.term:
        parts.append(f"term {after.term}")
    if before.role != after.role:
        parts.append(after.role.name.lower().replace("_", "-"))
    if before.voted_for != after.voted_for:
        parts.append(f"votes for {after.voted_for}" if after.voted_for else "no vote")
    if before.log != after.log:
        parts.append(f"log {_log(after.log)}")
    if before.commit_index != after.commit_index:
        parts.append(f"committed up to {after.commit_index}")
    if before.durable.entries != after.durable.entries:
        parts.append(f"on disk {_log(after.durable.entries)}")
    if before.durable.hard_state != after.durable.hard_state:
        hard_state = after.durable.hard_state
        parts.append(f"on disk term {hard_state.term}, vote {hard_state.voted_for or 'none'}")
    return ", ".join(parts)


def _log(entries: tuple[Entry, ...]) -> str:
    return "[" + " ".join(_entry(entry) for entry in entries) + "]"


def _entry(entry: Entry) -> str:
    """Return e.g. "2@1" for command 2 of term 1, "-@1" for the empty entry a term begins with."""
    return f"{entry.payload.decode() or '-'}@{entry.term}"


def _flight(flight: Flight) -> str:
    return f"{_message(flight.message)} from {flight.sender} to {flight.to}"


def _message(message: Any) -> str:
    fields = [
        f"{one.name}={_value(getattr(message, one.name))}"
        for one in msgspec.structs.fields(message)
    ]
    return f"{type(message).__name__}({', '.join(fields)})"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return _log(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
