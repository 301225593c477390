"""What a majority has reached, in a membership that may be joint.

One arithmetic serves every count in the engines: match indexes (what is committed), round numbers
(is a read confirmed), times (whom have we heard of) and votes. Learners never count. While a
membership is joint a quorum is a majority of *both* halves, never of their union (dissertation
§4.3): the union's majority may hold no majority of either.
"""

from collections.abc import Mapping
from typing import Final

from pnyx.consensus.membership import Membership
from pnyx.ids import NodeId

NOTHING: Final = 0
"""What a silent voter has reached."""


def reached(values: Mapping[NodeId, int], membership: Membership) -> int:
    """Return the greatest value that a quorum has reached; values are not negative.

    A membership without voters has reached nothing: it can neither elect nor commit.
    """
    value = _reached_by_majority(values, membership.voters)
    if membership.outgoing:
        return min(value, _reached_by_majority(values, membership.outgoing))
    return value


def verdict(votes: Mapping[NodeId, bool], membership: Membership) -> bool | None:
    """Return True if a quorum said yes, False if none can any more, None while it is open."""
    halves = [_verdict_of_majority(votes, membership.voters)]
    if membership.outgoing:
        halves.append(_verdict_of_majority(votes, membership.outgoing))
    if False in halves:
        return False
    return None if None in halves else True


def _reached_by_majority(values: Mapping[NodeId, int], voters: tuple[NodeId, ...]) -> int:
    if not voters:
        return NOTHING
    ascending = sorted([values.get(voter, NOTHING) for voter in voters])
    # A majority of n is n // 2 + 1: that many values are at or above this one.
    return ascending[(len(voters) - 1) // 2]


def _verdict_of_majority(votes: Mapping[NodeId, bool], voters: tuple[NodeId, ...]) -> bool | None:
    majority = len(voters) // 2 + 1
    yes = sum(1 for voter in voters if votes.get(voter) is True)
    no = sum(1 for voter in voters if votes.get(voter) is False)
    if yes >= majority:
        return True
    return False if len(voters) - no < majority else None
