"""For all schedules: do Multi-Paxos' guarantees hold, and does the group recover afterwards?

The schedules and faults are Raft's (test_raft_schedules.py, test_membership_schedules.py); the
world is one of Multi-Paxos members. It checks that a round has one leader, that what is chosen is
chosen for ever and found by every later leader, and that no promise and no acceptance leaves before
it is durable.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from paxosworld import PaxosWorld
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.membership import Membership
from properties.test_membership_schedules import SIZE, Changing
from properties.test_raft_schedules import SHAPES, TIGHT, Play, drawn, nodes


def build(shape: str, seed: int = 1) -> Play:
    membership = SHAPES[shape]
    everyone = {*membership.voters, *membership.outgoing, *membership.learners}
    tight = TIGHT if seed % 2 else MemberSettings()
    return Play(PaxosWorld(len(everyone), membership=membership, settings=tight, seed=seed))


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(schedule=st.binary(min_size=1000, max_size=4000), seed=st.integers(0, 99))
def test_no_schedule_breaks_a_guarantee(shape: str, schedule: bytes, seed: int) -> None:
    play = build(shape, seed)
    play.play(schedule)
    play.recover()


@pytest.mark.parametrize("shape", SHAPES)
def test_long_drawn_schedules_break_no_guarantee(shape: str) -> None:
    for seed in range(6):
        play = build(shape, seed)
        play.play(drawn(seed, 4000))
        play.recover()


def test_a_schedule_reaches_what_it_is_for() -> None:
    """The other half of every 'always': a schedule without elections proves nothing."""
    happened: Counter[str] = Counter()
    for seed in range(4):
        play = build("three", seed)
        play.play(drawn(seed, 4000))
        play.recover()
        happened += play.happened
        happened += play.world.sent
        happened["elections"] += len(play.world.leaders)
        happened["commits"] += len(play.world.committed)
    floor = {"elections": 10, "commits": 50, "Wanted": 10, "Refusal": 10, "lost": 20}
    missed = {name: happened[name] for name, least in floor.items() if happened[name] < least}
    assert missed == {}


def test_long_drawn_schedules_of_changes_break_no_guarantee() -> None:
    happened: Counter[str] = Counter()
    start = Membership(nodes(1, 2, 3), learners=nodes(4))
    for seed in range(20):
        tight = TIGHT if seed % 2 else MemberSettings()
        play = Changing(PaxosWorld(SIZE, membership=start, settings=tight, seed=seed))
        play.play(drawn(seed, 4000))
        play.recover()
        happened += play.happened
    assert happened["changed"] > 30
