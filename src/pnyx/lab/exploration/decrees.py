"""What one may look for in single-decree Paxos, and a path through its states as text."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from pnyx.consensus.paxos import Accept, Accepted, Acceptor, Ballot, Prepare, Promise, Proposal
from pnyx.lab.exploration.goals import Goal
from pnyx.lab.exploration.graph import State
from pnyx.lab.exploration.search import Subject
from pnyx.lab.exploration.story import Moment
from pnyx.lab.exploration.synod import (
    Begin,
    Hear,
    Message,
    Node,
    Onward,
    Restart,
    Sight,
    Synod,
    chosen,
)


def told(graph: Synod, path: Sequence[State], last: Onward | None) -> tuple[Moment, ...]:
    """Tell the path through these states; `last` is a step beyond them."""
    moments = []
    for number, (state, after) in enumerate(pairwise(path), start=1):
        onward = next(one for one in graph.onward(state) if one[1] == after)
        moments.append(_moment(graph, number, state, onward))
    if last is not None:
        moments.append(_moment(graph, len(path), path[-1], last))
    return tuple(moments)


def blocked(graph: Synod, state: State) -> tuple[str, ...]:
    """Say what cannot happen in a state any more."""
    proposers = graph.view(state).proposers
    return tuple(
        f"proposer {one.me} has begun all {rounds} of its rounds"
        for one, rounds in zip(proposers, graph.scope.rounds, strict=True)
        if one.round == rounds
    )


def _moment(graph: Synod, number: int, state: State, onward: Onward) -> Moment:
    step, after, _ = onward
    before, now = graph.node(state, step.place), graph.node(after, step.place)
    known = graph.sent(state)
    sent = tuple(_message(one) for one in graph.sent(after) if one not in known)
    return Moment(number, now.me, _what(now, step.happening), _changed(before, now), sent)


def _what(node: Node, happening: Begin | Hear | Restart) -> str:
    match happening:
        case Begin():
            return f"proposer {node.me} begins round {getattr(node, 'round', 0)}"
        case Hear(message=message):
            return f"{node.me} hears: {_message(message)}"
        case Restart():
            return f"acceptor {node.me} crashes and starts from its disk"


def _changed(before: Node, now: Node) -> str:
    parts = []
    if isinstance(before, Acceptor) and isinstance(now, Acceptor):
        if before.promised != now.promised:
            parts.append(f"has promised {_ballot(now.promised)}")
        if before.accepted != now.accepted:
            what = _proposal(now.accepted) if now.accepted else "nothing"
            parts.append(f"has accepted {what}")
    elif not isinstance(now, Acceptor) and now.proposal is not None:
        parts.append(f"proposes {_proposal(now.proposal)}")
    return ", ".join(parts)


def _message(message: Message) -> str:
    match message:
        case Prepare(ballot=ballot):
            return f"prepare {_ballot(ballot)}"
        case Promise(ballot=ballot, acceptor=acceptor, accepted=accepted):
            what = _proposal(accepted) if accepted else "nothing"
            return f"{acceptor} promises {_ballot(ballot)}, has accepted {what}"
        case Accept(proposal=proposal):
            return f"accept {_proposal(proposal)}"
        case Accepted(proposal=proposal, acceptor=acceptor):
            return f"{acceptor} accepted {_proposal(proposal)}"


def _ballot(ballot: Ballot) -> str:
    return f"{ballot.round}.{ballot.node}"


def _proposal(proposal: Proposal) -> str:
    """Return e.g. "a@2.1" for value a in round 2 of proposer 1."""
    return f"{proposal.value.decode()}@{_ballot(proposal.ballot)}"


def _to_chosen(sight: Sight) -> int:
    by = [one.proposal for one in sight.accepted]
    return sight.quorum - max((by.count(one) for one in by), default=0)


def _to_adopted(sight: Sight) -> int:
    proposing = [one for one in sight.proposers if one.proposal]
    return int(all(one.proposal and one.proposal.value == one.value for one in proposing))


def _to_outvoted(sight: Sight) -> int:
    values = chosen(sight.accepted, sight.quorum)
    others = {one.proposal.value for one in sight.accepted} - values
    return int(not values) + int(not others)


CHOSEN: Final = Goal("chosen", "a majority accepted a value in one ballot", _to_chosen)
ADOPTED: Final = Goal("adopted", "a proposer proposes another's value", _to_adopted)
OUTVOTED: Final = Goal(
    "outvoted", "a value is chosen although somebody accepted another", _to_outvoted
)
GOALS: Final = {goal.name: goal for goal in (CHOSEN, ADOPTED, OUTVOTED)}

SYNOD: Final = Subject(Synod, told, blocked)
"""Single-decree Paxos, to be explored in the scope of a `Decree`."""
