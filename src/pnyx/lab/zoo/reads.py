"""Family D: which value a read may show."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from collections.abc import Callable, Sequence
from typing import Final

from pnyx.consensus.member import leading
from pnyx.consensus.member.progress import Progress
from pnyx.consensus.member.reads import Reads as RaftReads, Ticket
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.quorum import reached
from pnyx.consensus.raft import leader
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId
from pnyx.lab.zoo.biases import CLOCKS_BEHIND_CUTS, CLOGGED_READS
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant
from pnyx.replica.effects import Effects, Now
from pnyx.replica.reads import Reads
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Request


def _leased(holds: Callable[[RaftState], bool]) -> Patch:
    """Let a leader confirm its reads by itself while a lease `holds`."""
    was = leading.confirm_reads

    def confirm_reads(raft: RaftState) -> None:
        if raft.reads.confirming and holds(raft):
            raft.reads.confirm(raft.reads.round)
        else:
            was(raft)

    return Patch(leading, "confirm_reads", confirm_reads)


def read_at_once() -> Patches:
    """Let a leader answer reads whatever it knows of what is committed."""

    def read(member: MemberState, ticket: Ticket) -> None:
        if member.role is Role.LEADER:
            member.reads.gather(ticket, member.now_ms + member.settings.election_ms_min)
        else:
            member.reads.answer(ticket, None)

    return [Patch(leading, "read", read)]


@mutant(
    "D1-read-before-own-commit",
    story="A new leader answers reads before an entry of its own term is committed. It does not "
    "know yet what is, so acknowledged writes are missing.",
    seen="etcd #7331; RedisRaft #22",
    caught_by=("reads_are_current",),
)
def _read_before_own_commit() -> Patches:
    return read_at_once()


@mutant(
    "D2-read-joins-an-earlier-barrier",
    story="A read joins a barrier that was asked for before the read arrived. The index that comes "
    "back may be older than a write which the reader's client has already seen.",
    seen="etcd #20418",
    caught_by=("reads_are_current",),
    bias=CLOGGED_READS,
)
def _read_joins_an_earlier_barrier() -> Patches:
    was = Reads.add

    def add(reads: Reads, requests: Sequence[Request]) -> None:
        if reads._asking is not None:
            reads._asking.extend(requests)
        else:
            was(reads, requests)

    return [Patch(Reads, "add", add)]


@mutant(
    "D4-lease-survives-a-transfer",
    story="A leader that hands over goes on answering reads by its lease. TimeoutNow lets its "
    "successor win without waiting for that lease.",
    seen="openraft 1ef3e574",
    caught_by=("reads_are_current",),
)
def _lease_survives_a_transfer() -> Patches:
    return [_leased(lambda raft: raft.transfer is not None and raft.transfer.told)]


@mutant(
    "D5-lease-from-the-acknowledgement",
    story="A leader answers reads from a lease that it counts from when acknowledgements arrive. "
    "They may be old by then: others have elected a leader and written.",
    seen="jraft PR #34, #26; tikv #964; nebula #2723; Yugabyte #16; aioraft-ng",
    caught_by=("reads_are_current",),
)
def _lease_from_the_acknowledgement() -> Patches:
    def holds(raft: RaftState) -> bool:
        return raft.now_ms - leader.quorum_heard_ms(raft) < raft.settings.election_ms_max

    return [_leased(holds)]


@mutant(
    "D6-lease-by-the-wall-clock",
    story="A lease is counted from when its heartbeat was sent, as it should be, but by a clock "
    "that can be set. When it is set back, the lease outlives the loyalty of the followers.",
    seen="any lease under clock jumps, drift, a paused machine or a long garbage collection",
    caught_by=("reads_are_current",),
    bias=CLOCKS_BEHIND_CUTS,
)
def _lease_by_the_wall_clock() -> Patches:
    was_sent, was_asked = leader._send_heartbeat, Replica.effects
    wall_ms: dict[NodeId, int] = {}
    sent: dict[tuple[NodeId, int, int], int] = {}

    def effects(replica: Replica, now: Now) -> Effects | None:
        wall_ms[replica.me] = now.wall_ms
        return was_asked(replica, now)

    def _send_heartbeat(raft: RaftState, peer: NodeId, progress: Progress) -> None:
        sent.setdefault((raft.me, raft.reads.boot, raft.reads.round), wall_ms[raft.me])
        was_sent(raft, peer, progress)

    def holds(raft: RaftState) -> bool:
        acked = {peer: progress.acked_round for peer, progress in raft.peers.items()}
        acked[raft.me] = raft.reads.round
        confirmed = reached(acked, raft.log.membership)
        sent_ms = sent.get((raft.me, raft.reads.boot, confirmed))
        return sent_ms is not None and wall_ms[raft.me] - sent_ms < raft.settings.election_ms_min

    return [
        Patch(Replica, "effects", effects),
        Patch(leader, "_send_heartbeat", _send_heartbeat),
        _leased(holds),
    ]


@mutant(
    "D7-alone-means-recovered",
    story="A group of one answers reads as soon as it runs. After a restart its log holds entries "
    "that are committed and not applied, and the reads miss them.",
    seen="jraft #1109",
    caught_by=("reads_are_current",),
)
def _alone_means_recovered() -> Patches:
    was = leading.read

    def read(raft: RaftState, ticket: Ticket) -> None:
        if raft.role is Role.LEADER and raft.log.membership.voters == (raft.me,):
            raft.reads.gather(ticket, raft.now_ms + raft.settings.election_ms_min)
        else:
            was(raft, ticket)

    return [Patch(leading, "read", read)]


@mutant(
    "D8-read-before-applied",
    story="A read waits until its index is committed, and is answered before that is applied.",
    seen="a slip of many ReadIndex implementations",
    caught_by=("reads_are_current",),
)
def _read_before_applied() -> Patches:
    was = Reads.servable

    def servable(reads: Reads, _applied: Index) -> list[Request]:
        return was(reads, Index(1 << 62))

    return [Patch(Reads, "servable", servable)]


@mutant(
    "D10-reads-outlive-their-leader",
    story="Reads that wait are not failed when their leader steps down. They hang, or are answered "
    "in a term that never confirmed them.",
    seen="a rule of the thesis, 6.4; many implementations learn it late",
    caught_by=("assertion", "reads_are_current", "requests_answered", "resources_bounded"),
)
def _reads_outlive_their_leader() -> Patches:
    def refuse_all(_reads: RaftReads) -> None:
        return

    return [Patch(RaftReads, "refuse_all", refuse_all)]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    _read_before_own_commit,
    _read_joins_an_earlier_barrier,
    _lease_survives_a_transfer,
    _lease_from_the_acknowledgement,
    _lease_by_the_wall_clock,
    _alone_means_recovered,
    _read_before_applied,
    _reads_outlive_their_leader,
)
