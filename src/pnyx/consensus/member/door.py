"""What the doors of both engines have in common: how a member looks and what it hands out.

An engine's own door sends each message to its rules, and decides when `tick` is wanted.
"""

from typing import Generic, TypeVar

from pnyx.consensus.member import leading, members, transfer
from pnyx.consensus.member.messages import ReadIndexReply
from pnyx.consensus.member.reads import Ticket
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, Mark, Position, Ready, Refused, Role
from pnyx.ids import Index, NodeId, Term

S = TypeVar("S", bound=MemberState)


class Door(Generic[S]):
    """One member of one group. See consensus.py for what each method promises."""

    __slots__ = ("_state",)

    def __init__(self, state: S) -> None:
        self._state = state

    @property
    def state(self) -> S:
        """Everything this member knows: for the Lab, which looks but never touches."""
        return self._state

    @property
    def role(self) -> Role:
        """What this node is in its group now."""
        return self._state.role

    @property
    def term(self) -> Term:
        """The newest term heard of; perhaps not durable yet."""
        return self._state.term

    @property
    def leader(self) -> NodeId | None:
        """The leader of the current term as far as known here."""
        return self._state.leader

    @property
    def membership(self) -> Membership:
        """The newest membership in the log, committed or not."""
        return self._state.log.membership

    @property
    def outgoing(self) -> tuple[NodeId, ...]:
        """The voters whose majority is still needed though a change leaves them behind."""
        in_force = self._state.log.memberships_from(self._state.commit_index)
        return next((held.outgoing for held in reversed(in_force) if held.outgoing), ())

    @property
    def commit_index(self) -> Index:
        """The last entry known here to be committed."""
        return self._state.commit_index

    @property
    def last_index(self) -> Index:
        """The newest entry of the log."""
        return self._state.log.last_index

    @property
    def durable_index(self) -> Index:
        """The newest entry of the log that is durable here."""
        return self._state.writes.durable_index

    @property
    def stalled(self) -> bool:
        """Has a write been outstanding for longer than any election timeout?"""
        return self._state.is_stalled()

    @property
    def compacted(self) -> Mark:
        """The boundary the log starts after."""
        return self._state.log.compacted

    @property
    def log_bytes(self) -> int:
        """Payload bytes of all entries above `compacted`."""
        return self._state.log.bytes

    def propose(self, payload: bytes, now_ms: int) -> Position | Refused:
        """Append one entry of commands, or refuse without any effect."""
        return leading.propose(self._at(now_ms), payload)

    def read_barrier(self, ticket: int, now_ms: int) -> None:
        """Ask for the index a linearizable read must wait for."""
        member = self._at(now_ms)
        waiting = Ticket(member.me, member.reads.boot, ticket)
        has_room = member.reads.waiting < member.settings.reads_max
        if member.role is Role.FOLLOWER and member.leader is not None and has_room:
            member.reads.gather(waiting, now_ms + member.settings.election_ms_min)
        else:
            leading.read(member, waiting)

    def change_membership(self, target: Membership, now_ms: int) -> Position | Refused:
        """Begin to make `target` the membership, or refuse without any effect."""
        return members.change(self._at(now_ms), target)

    def transfer_leadership(self, to: NodeId | None, now_ms: int) -> bool:
        """Start handing leadership to `to`; False if nothing was started."""
        return transfer.begin(self._at(now_ms), to)

    def compact(self, index: Index) -> None:
        """Drop entries up to `index`, which is applied and durable in the space.

        Those that were held back from a peer stay until it was sent them (thrift.py).
        """
        member = self._state
        index = min([index, *leading.sent_to_spared(member)])
        if index <= member.log.compacted.index:
            return
        assert index <= member.given_index, "only what was applied may be forgotten"
        member.log.compact(index)
        member.writes.compacted = member.log.compacted

    def peer_alive(self, peer: NodeId, now_ms: int) -> None:
        """Something else than consensus was heard from `peer`."""
        leading.heard_from(self._at(now_ms), peer)

    def peer_unreachable(self, peer: NodeId) -> None:
        """The link to `peer` broke."""
        leading.peer_unreachable(self._state, peer)

    def match_indexes(self) -> dict[NodeId, Index]:
        """On the leader: the last index known durable on each peer, sorted by id; else empty."""
        return {peer: progress.match for peer, progress in self._state.peers.items()}

    def _at(self, now_ms: int) -> S:
        member = self._state
        assert now_ms >= member.now_ms, "a monotone clock never goes back"
        member.now_ms = now_ms
        return member

    def _handed_out(self) -> Ready | None:
        """Return everything there is to do, once the rules have said all that they have to."""
        member = self._state
        if member.reads.answers:
            self._answer_reads()
        write = member.writes.take(member.log, member.term, member.voted_for, member.now_ms)
        committed = self._take_committed() if member.given_index < member.commit_index else ()
        reads = member.reads.released
        if not (write or member.send or member.delayed or committed or reads or member.snapshots):
            return None
        ready = Ready(
            write,
            tuple(member.send),
            tuple(member.delayed),
            committed,
            tuple(reads),
            tuple(member.snapshots),
            self._committed_upto() > member.given_index or member.transfer is not None,
        )
        for handed_out in (member.send, member.delayed, reads, member.snapshots):
            if handed_out:
                handed_out.clear()
        return ready

    def _answer_reads(self) -> None:
        member = self._state
        for ticket, index in member.reads.answers:
            reply = ReadIndexReply(member.term, ticket.boot, ticket.counter, index)
            member.promise(member.writes.id_for_ground(), ticket.node, reply)
        member.reads.answers.clear()

    def _committed_upto(self) -> Index:
        # Not past what is durable here, or the space could get ahead of the log.
        member = self._state
        return min(member.commit_index, member.writes.durable_index)

    def _take_committed(self) -> tuple[Entry, ...]:
        member = self._state
        through = self._committed_upto()
        if through <= member.given_index:
            return ()
        settings = member.settings
        entries = member.log.page(
            member.given_index, through, settings.apply_entries_max, settings.apply_bytes_max
        )
        member.given_index = entries[-1].index
        return entries
