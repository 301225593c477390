"""Is a majority counted right, in plain and in joint memberships?"""

from itertools import product

import pytest
from hypothesis import given, strategies as st

from pnyx.consensus.membership import Membership
from pnyx.consensus.quorum import reached, verdict
from pnyx.ids import NodeId


def nodes(*numbers: int) -> tuple[NodeId, ...]:
    return tuple(NodeId(number) for number in numbers)


def values(**reached_by: int) -> dict[NodeId, int]:
    return {NodeId(int(name[1:])): value for name, value in reached_by.items()}


@pytest.mark.parametrize(
    ("size", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)]
)
def test_a_majority_is_more_than_half(size: int, needed: int) -> None:
    membership = Membership(nodes(*range(size)))
    for count in range(size + 1):
        held = {NodeId(number): 9 for number in range(count)}
        assert reached(held, membership) == (9 if count >= needed else 0)


def test_silent_voters_have_reached_nothing() -> None:
    membership = Membership(nodes(1, 2, 3))
    assert reached(values(n1=9), membership) == 0
    assert reached(values(n1=9, n3=4), membership) == 4


def test_learners_never_count() -> None:
    membership = Membership(nodes(1, 2, 3), learners=nodes(4, 5))
    assert reached(values(n1=9, n4=9, n5=9), membership) == 0
    assert verdict({NodeId(4): True, NodeId(5): True, NodeId(1): True}, membership) is None


def test_a_joint_membership_needs_both_majorities_not_one_of_the_union() -> None:
    joint = Membership(nodes(1, 2, 3), outgoing=nodes(3, 4, 5))
    assert reached(values(n1=9, n2=9, n3=9), joint) == 0, "three of five, but one of 3, 4, 5"
    assert reached(values(n2=8, n3=9, n4=7), joint) == 7
    assert verdict(dict.fromkeys(nodes(1, 2, 3), True), joint) is None
    assert verdict(dict.fromkeys(nodes(2, 3, 4), True), joint) is True
    assert verdict(dict.fromkeys(nodes(4, 5), False), joint) is False


def test_a_membership_without_voters_reaches_nothing() -> None:
    assert reached(values(n1=9), Membership(())) == 0
    assert verdict({NodeId(1): True}, Membership(())) is not True


def test_a_vote_is_lost_as_soon_as_no_majority_is_left() -> None:
    membership = Membership(nodes(1, 2, 3, 4))
    votes = {NodeId(1): True, NodeId(2): False}
    assert verdict(votes, membership) is None
    assert verdict({**votes, NodeId(3): False}, membership) is False


def test_votes_of_strangers_count_for_nothing() -> None:
    votes = {NodeId(1): True, NodeId(8): True, NodeId(9): True}
    assert verdict(votes, Membership(nodes(1, 2, 3))) is None


@given(
    st.dictionaries(st.integers(1, 7), st.integers(0, 20)), st.sets(st.integers(1, 7), min_size=1)
)
def test_what_is_reached_is_the_greatest_value_that_a_majority_has(
    held: dict[int, int], voters: set[int]
) -> None:
    membership = Membership(nodes(*sorted(voters)))
    counted = reached({NodeId(node): value for node, value in held.items()}, membership)

    def has_majority(value: int) -> bool:
        return 2 * sum(held.get(voter, 0) >= value for voter in voters) > len(voters)

    assert counted == max(value for value in range(21) if has_majority(value))


def test_two_quorums_always_share_a_voter() -> None:
    joint = Membership(nodes(1, 2, 3), outgoing=nodes(2, 3, 4, 5))
    everyone = nodes(1, 2, 3, 4, 5)
    winners = [
        set(yes)
        for bits in product([False, True], repeat=5)
        if verdict(
            dict.fromkeys(yes := [n for n, bit in zip(everyone, bits, strict=True) if bit], True),
            joint,
        )
    ]
    assert len(winners) > 3
    assert all(one & other for one in winners for other in winners)
