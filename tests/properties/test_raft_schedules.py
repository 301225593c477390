"""For all schedules: do the paper's guarantees hold, and does the group recover afterwards?

A schedule is a string of bytes, two a step: what happens, and to whom. Messages are lost, doubled
and reordered, disks are slow, nodes crash and lose what was not durable, logs are compacted. The
world (raftworld.py) checks Election Safety, Log Matching, Leader Completeness, State Machine
Safety, stale reads and promises that leave before they are durable. Afterwards everything is
repaired, and the group must elect, commit, and agree.
"""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Role
from pnyx.ids import NodeId
from pnyx.prng import Prng
from raftworld import World

TIGHT = MemberSettings(inflight_max=2, append_entries_max=2, apply_entries_max=2, reads_max=4)


def nodes(*numbers: int) -> tuple[NodeId, ...]:
    return tuple(NodeId(number) for number in numbers)


SHAPES = {
    "one": Membership(nodes(1)),
    "two": Membership(nodes(1, 2)),
    "three": Membership(nodes(1, 2, 3)),
    "five": Membership(nodes(1, 2, 3, 4, 5)),
    "learner": Membership(nodes(1, 2, 3), learners=nodes(4)),
    "joint": Membership(nodes(1, 2, 3), outgoing=nodes(3, 4, 5)),
}


@dataclass
class Play:
    """One world and the schedule that happens to it."""

    world: World
    happened: Counter[str] = field(default_factory=Counter)
    proposed: int = 0

    def play(self, schedule: bytes) -> None:
        for action, who in zip(schedule[::2], schedule[1::2], strict=False):
            number = who % len(self.world.members) + 1
            self._step(action, who, number)
        self.world.check_all()

    def _step(self, action: int, who: int, number: int) -> None:
        is_up = self.world.members[NodeId(number)].raft is not None
        if action < 95:
            self._fly(action, who)
        elif action < 105:
            self._let_time_pass(who)
        elif action < 120:
            self._propose()
        elif action < 126:
            self._repair(who, number, is_up=is_up)
        elif is_up:
            self._own(action, who, number)

    def _fly(self, action: int, who: int) -> None:
        flights = self.world.flights
        if not flights:
            return
        position = who % len(flights) if action % 3 == 0 else 0
        flight = flights[position]
        if action % 16 == 15:
            self.happened["doubled"] += 1
        else:
            del flights[position]
        if action % 16 == 14:
            self.happened["lost"] += 1
        else:
            self.world.deliver(flight)

    def _let_time_pass(self, who: int) -> None:
        self.world.advance((0, 1, 2, 5, 20, 50, 70, 250)[who % 8])
        for member in self.world.running:
            if member.core.deadline_ms <= self.world.now_ms:
                member.core.tick(self.world.now_ms)

    def _propose(self) -> None:
        leader = self.world.leader()
        if leader is not None:
            self.proposed += 1
            self.world.propose(leader, b"%d" % self.proposed)

    def _repair(self, who: int, number: int, *, is_up: bool) -> None:
        if not is_up:
            self.happened["restarted"] += 1
            self.world.restart(number)
        elif who % 2:
            self.world.heal()

    def _own(self, action: int, who: int, number: int) -> None:
        world, core = self.world, self.world[number]
        member = world.members[NodeId(number)]
        if action < 180:
            world.take(number)
        elif action < 226:
            world.sync(number)
        elif action < 239:
            world.read(number)
        elif action < 240:
            self.happened["crashed while leading"] += core.role is Role.LEADER
            world.crash(number)
        elif action < 243 and member.applied:
            world.compact(number, who % len(member.applied) + 1)
        elif action < 246:
            core.transfer_leadership(None, world.now_ms)
        elif action < 247:
            world.isolate(number)
        elif action < 250:
            core.peer_unreachable(NodeId(who % len(world.members) + 1))
        elif world.streams:
            self.happened["snapshot"] += 1
            world.stream(*world.streams.pop(0))

    def recover(self) -> None:
        """Repair everything; the members must come to one log with everything committed."""
        world = self.world
        world.heal()
        for member in world.members.values():
            if member.raft is None:
                world.restart(member.node)
        world.run(3000)
        world.run_until(lambda: world.leader() is not None)
        leader = world.leader()
        assert leader is not None
        world.write(leader, b"the end")
        world.run(500)
        membership = world[leader].membership
        assert not membership.outgoing, "a change is never left half done"
        assert membership.is_voter(NodeId(leader))
        for number in (*membership.voters, *membership.learners):
            assert world[number].membership == membership
            assert world[number].commit_index == world[leader].last_index
            assert world.members[number].applied[-1].payload == b"the end"
        assert any(entry.payload == b"the end" for entry in world.committed.values())
        world.check_all()
        assert world.read_floors == {}, "every barrier was answered"


def build(shape: str, seed: int = 1) -> Play:
    membership = SHAPES[shape]
    everyone = {*membership.voters, *membership.outgoing, *membership.learners}
    tight = TIGHT if seed % 2 else MemberSettings()
    return Play(World(len(everyone), membership=membership, settings=tight, seed=seed))


def drawn(seed: int, steps: int) -> bytes:
    prng = Prng(seed)
    return bytes(prng.below(256) for _ in range(2 * steps))


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


def test_the_schedules_reach_what_they_are_for() -> None:
    """The other half of every 'always': a schedule without elections proves nothing."""
    happened: Counter[str] = Counter()
    for seed in range(8):
        play = build("three", seed)
        play.play(drawn(seed, 4000))
        happened += play.happened
        happened["elections"] += len(play.world.leaders)
        happened["commits"] += len(play.world.committed)
        happened["refusals"] += play.world.sent["AppendEntriesRefusal"]
        happened["read"] += sum(
            index is not None for one in play.world.members.values() for index in one.reads.values()
        )
    floor = {"elections": 20, "commits": 100, "refusals": 10, "read": 10, "snapshot": 3}
    floor |= {"crashed while leading": 5, "lost": 50, "doubled": 50, "restarted": 20}
    missed = {name: happened[name] for name, least in floor.items() if happened[name] < least}
    assert missed == {}
