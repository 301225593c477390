"""Does a group of nodes whose disks are slow have a leader, and do they notice one that hangs?"""

import pytest

from paxosworld import PaxosWorld
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.state import DISK_PATIENCE_MAX
from pnyx.consensus.raft.messages import Heartbeat
from pnyx.consensus.raft.state import FAILURES_MAX
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone
from raftworld import World

STEP_MS = 10


class SlowWorld(World):
    """Each sync takes so long on every disk, and makes durable what was asked for before it."""

    def __init__(self, sync_ms: int, *, seed: int) -> None:
        self.sync_ms = sync_ms
        self.syncing: dict[NodeId, tuple[int, int]] = {}
        """When the sync under way ends, and up to which write it reaches."""
        super().__init__(seed=seed)

    def sync(self, number: int) -> bool:
        member = self.members[NodeId(number)]
        if not member.outstanding:
            return False
        begun = self.now_ms + self.sync_ms, member.outstanding[-1].write_id
        ends_ms, reaches = self.syncing.setdefault(member.node, begun)
        if self.now_ms < ends_ms:
            return False
        del self.syncing[member.node]
        while member.outstanding and member.outstanding[0].write_id <= reaches:
            super().sync(number)
        return True

    def serve(self, ms: int) -> int:
        """Write wherever somebody leads, all the time; return how many entries are committed."""
        before = len(self.committed)
        for _ in range(ms // STEP_MS):
            self.run(STEP_MS)
            leader = self.leader()
            if leader is not None and self[leader].commit_index == self[leader].last_index:
                self.propose(leader)
        return len(self.committed) - before

    def run(self, ms: int) -> None:
        super().run(ms)
        # Its disks end their syncs although nobody's deadline has come.
        self.settle()


class SlowPaxosWorld(SlowWorld, PaxosWorld):
    """The same disks under Multi-Paxos."""


@pytest.mark.parametrize("kind", [SlowWorld, SlowPaxosWorld])
@pytest.mark.parametrize("sync_ms", [450, 750, 1050])
@pytest.mark.parametrize("seed", range(1, 5))
def test_where_all_disks_are_slower_than_elections_somebody_leads_and_stays(
    kind: type[SlowWorld], sync_ms: int, seed: int
) -> None:
    """A file's writer waited 26 s for one chunk, until syncs took less than 700 ms again."""
    world = kind(sync_ms, seed=seed)
    world.serve(ms=30 * sync_ms)
    led, ms = len(world.leaders), 20_000
    # An entry takes one sync, the leader's and its peers' at once, and another if it finds one.
    assert world.serve(ms) >= ms // (3 * sync_ms)
    assert len(world.leaders) <= led + 1
    world.check_all()


def candidacy_ms(member: Alone) -> int:
    """Stand, and return for how long, if nobody answers."""
    member.stands()
    began_ms = member.now_ms
    while member.raft.role is Role.CANDIDATE:
        member.waits_for_its_deadline()
    return member.now_ms - began_ms


def test_a_candidacy_lasts_the_longer_the_more_came_to_nothing_until_somebody_leads() -> None:
    member = Alone(1)
    least_ms, most_ms = member.settings.election_ms_min, member.settings.election_ms_max
    for failures in range(FAILURES_MAX + 2):
        times = 2 ** min(failures, FAILURES_MAX)
        assert times * least_ms <= candidacy_ms(member) <= times * most_ms
    member.hears(2, Heartbeat(Term(member.raft.term), 1, Index(0), Term(0)))
    assert candidacy_ms(member) <= most_ms


def hung_after_ms(member: Alone, sync_ms: int) -> int:
    """Let a write take so long, and return when the disk of the next one counts as hung."""
    member.disk_held = True
    member.proposes(b"slow")
    member.now_ms += sync_ms
    member.syncs()
    member.proposes(b"never")
    began_ms = member.now_ms
    while not member.raft.stalled:
        member.now_ms += 1
        member.raft.tick(member.now_ms)
    return member.now_ms - began_ms


def test_a_disk_that_was_slow_before_hangs_when_it_is_slower_than_that() -> None:
    settings = MemberSettings()
    usual_ms = settings.election_ms_max
    assert hung_after_ms(Alone().leads(), 5) == usual_ms + 1
    assert hung_after_ms(Alone().leads(), usual_ms) == 4 * usual_ms + 1
    assert hung_after_ms(Alone().leads(), 600 * usual_ms) == DISK_PATIENCE_MAX * usual_ms + 1
