"""For all schedules in which members change, too: do the paper's guarantees hold?

The schedules, faults and checks are those of test_raft_schedules.py. Here whoever leads is also
asked to add, promote, demote, remove and swap nodes, at any moment and in any state of the group,
and leadership moves. Afterwards everything is repaired: a change that was left half done must be
finished, and the members that are left must elect, commit and agree.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from hypothesis import HealthCheck, given, settings, strategies as st

from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Position, Role
from pnyx.ids import NodeId
from properties.test_raft_schedules import TIGHT, Play, drawn, nodes
from raftworld import Member, World

SIZE = 6


class Watched(World):
    """Notes what leaders found and left."""

    seen: ClassVar[Counter[str]] = Counter()

    def check(self, member: Member) -> None:
        super().check(member)
        raft = member.core
        membership = raft.membership
        if raft.role is not Role.LEADER:
            return
        self.seen["joint"] += bool(membership.outgoing)
        self.seen["removed leader"] += not membership.is_voter(member.node)
        assert membership.voters, "a group has voters"
        assert not set(membership.voters) & set(membership.learners)


@dataclass
class Changing(Play):
    """A play in which members change."""

    changes: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def _propose(self) -> None:
        leader = self.world.leader()
        if leader is not None and self.proposed % 3 == 2:
            self.proposed += 1
            self._change(leader)
        else:
            super()._propose()

    def _change(self, leader: int) -> None:
        self.changes += 1
        present = self.world[leader].membership
        outcome = self.world[leader].change_membership(
            target_of(present, self.changes * 7 + self.proposed), self.world.now_ms
        )
        if isinstance(outcome, Position):
            self.happened["changed"] += 1
        else:
            self.refusals[outcome.reason] += 1


def target_of(present: Membership, choice: int) -> Membership:
    """One of the changes that are possible from `present`, or a silly one."""
    voters, learners = set(present.voters), set(present.learners)
    node = NodeId(choice % SIZE + 1)
    if node in learners:
        learners.discard(node)
        voters.add(node)
        if choice % 3 == 0 and len(voters) > 2:
            # In the place of another.
            voters.discard(min(voters - {node}))
    elif node in voters and len(voters) > 1:
        voters.discard(node)
        if choice % 4 == 0:
            learners.add(node)
    else:
        learners.add(node)
    return Membership(tuple(sorted(voters)), learners=tuple(sorted(learners)))


def build(seed: int) -> Changing:
    tight = TIGHT if seed % 2 else MemberSettings()
    start = Membership(nodes(1, 2, 3), learners=nodes(4))
    return Changing(Watched(SIZE, membership=start, settings=tight, seed=seed))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(schedule=st.binary(min_size=1000, max_size=4000), seed=st.integers(0, 99))
def test_no_schedule_of_changes_breaks_a_guarantee(schedule: bytes, seed: int) -> None:
    play = build(seed)
    play.play(schedule)
    play.recover()


def test_long_drawn_schedules_of_changes_break_no_guarantee_and_reach_what_they_are_for() -> None:
    happened: Counter[str] = Counter()
    Watched.seen = Counter()
    for seed in range(20):
        play = build(seed)
        play.play(drawn(seed, 4000))
        play.recover()
        happened += play.happened
        happened += play.refusals
    happened += Watched.seen
    floor = {"changed": 30, "joint": 50, "removed leader": 5, "change under way": 20}
    floor |= {"crashed while leading": 10, "snapshot": 3, "nothing committed in this term": 5}
    missed = {name: happened[name] for name, least in floor.items() if happened[name] < least}
    assert missed == {}
