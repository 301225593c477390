"""Changes of members that an operator may ask for, and what each needs next: data and rules.

`next_step` is a function of the committed membership, asked again after every step until nothing
is left. So a change that is asked for again, after an unknown outcome say, goes on where it was.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from msgspec.structs import replace

from pnyx.consensus.membership import Membership
from pnyx.ids import NodeId
from pnyx.replica.requests import Reason

RETIRED_MAX: Final = 256
"""So many retired nodes are remembered, the newest. An older one is not told; it still never
counts."""


@dataclass(frozen=True, slots=True)
class AddLearner:
    """Let `node`, which holds `label` from now on, receive everything."""

    label: str
    node: NodeId


@dataclass(frozen=True, slots=True)
class Promote:
    """Make a learner a voter as soon as it has caught up."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class Add:
    """`AddLearner`, then `Promote`."""

    label: str
    node: NodeId


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a voter or a learner for ever: its id never comes back."""

    node: NodeId


Change: TypeAlias = AddLearner | Promote | Add | Remove


def next_step(present: Membership, change: Change) -> Membership | Reason | None:
    """Return the membership to go to next, why it cannot be done, or None: nothing is left.

    Whether who is to be promoted has caught up is not looked at.
    """
    match change:
        case AddLearner(label, node):
            return _add(present, label, node)
        case Promote(node):
            return _promote(present, node)
        case Add(label, node):
            return _add(present, label, node) or _promote(present, node)
        case Remove(node):
            return _remove(present, node)


def promoted(present: Membership, target: Membership) -> tuple[NodeId, ...]:
    """Return who must have caught up before `target` may be gone to."""
    return tuple(sorted(set(target.voters) - set(present.voters)))


def with_newcomer(present: Membership, node: NodeId, forgotten: tuple[NodeId, ...]) -> Membership:
    """Return `present` with `node` as a learner that holds no label yet, without `forgotten`."""
    learners = {*present.learners, node} - set(forgotten)
    return replace(present, learners=tuple(sorted(learners)))


def swapped(present: Membership, label: str, node: NodeId) -> Membership:
    """Return `present` with the learner `node` in the place of whoever holds `label`."""
    names = dict(present.names)
    old = names[label]
    names[label] = node
    voters = {node if voter == old else voter for voter in present.voters}
    learners = set(present.learners) - {old} - voters
    return Membership(
        voters=tuple(sorted(voters)),
        learners=tuple(sorted(learners)),
        names=tuple(sorted(names.items())),
        retired=(*present.retired, old)[-RETIRED_MAX:],
    )


def _add(present: Membership, label: str, node: NodeId) -> Membership | Reason | None:
    if node in present.retired:
        return Reason.RETIRED
    names = dict(present.names)
    if names.get(label) == node:
        return None
    if label in names or node in names.values() or node in present.voters:
        return Reason.TAKEN
    names[label] = node
    learners = tuple(sorted({*present.learners, node}))
    return replace(present, learners=learners, names=tuple(sorted(names.items())))


def _promote(present: Membership, node: NodeId) -> Membership | Reason | None:
    if node in present.voters:
        return None
    if node not in present.learners:
        return Reason.RETIRED if node in present.retired else Reason.NOT_MEMBER
    return replace(
        present,
        voters=tuple(sorted({*present.voters, node})),
        learners=tuple(learner for learner in present.learners if learner != node),
    )


def _remove(present: Membership, node: NodeId) -> Membership | Reason | None:
    if not present.has(node):
        return None if node in present.retired else Reason.NOT_MEMBER
    voters = tuple(voter for voter in present.voters if voter != node)
    if not voters:
        return Reason.LAST_VOTER
    return Membership(
        voters=voters,
        learners=tuple(learner for learner in present.learners if learner != node),
        names=tuple((label, holder) for label, holder in present.names if holder != node),
        retired=(*present.retired, node)[-RETIRED_MAX:],
    )
