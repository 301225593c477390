"""The door of Raft: one member of one group behind the `Consensus` contract.

Thin on purpose. It keeps the clock, levels terms, sends each message to the function that knows
what to do with it, and gathers what is to be done into one `Ready`. The rules are in terms,
election, follower and leader; what they work on is in state.
"""

from typing import Any, Final

from pnyx.consensus.membership import Membership
from pnyx.consensus.raft import election, follower, leader, members, quiet, transfer
from pnyx.consensus.raft.log import Log
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    CommitIndex,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    PreVoteReply,
    ReadIndex,
    ReadIndexReply,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from pnyx.consensus.raft.reads import Reads, Ticket
from pnyx.consensus.raft.roles import draw_election_timeout
from pnyx.consensus.raft.settings import RaftSettings
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.raft.terms import level
from pnyx.consensus.raft.writes import Writes
from pnyx.consensus.ready import (
    Entry,
    HardState,
    Mark,
    Position,
    Ready,
    RecoveredLog,
    Refused,
    Role,
)
from pnyx.ids import Index, NodeId, Term
from pnyx.prng import Prng

_ON: Final[dict[type, Any]] = {
    AppendEntries: follower.on_append_entries,
    Heartbeat: follower.on_heartbeat,
    CommitIndex: follower.on_commit_index,
    TimeoutNow: follower.on_timeout_now,
    ReadIndexReply: follower.on_read_index_reply,
    AppendEntriesReply: leader.on_append_entries_reply,
    AppendEntriesRefusal: leader.on_append_entries_refusal,
    HeartbeatReply: leader.on_heartbeat_reply,
    ReadIndex: leader.on_read_index,
    PreVote: election.on_pre_vote,
    PreVoteReply: election.on_pre_vote_reply,
    RequestVote: election.on_request_vote,
    RequestVoteReply: election.on_request_vote_reply,
}


class Raft:
    """One member of one group. See consensus.py for what each method promises."""

    __slots__ = ("_state",)

    def __init__(
        self,
        *,
        me: NodeId,
        membership: Membership,
        settings: RaftSettings,
        prng: Prng,
        now_ms: int,
        boot: int,
        recovered: RecoveredLog,
        applied: Index = Index(0),
    ) -> None:
        """Start as a follower from what recovery found, all of it durable.

        Args:
            me: This node.
            membership: In force at the log's beginning; entries above it may bring a newer one. A
                node that joins a group that works already starts from the membership that the
                group was formed with, which does not list it, and an empty log: it neither votes
                for itself nor stands before its log says that it is a voter.
            settings: Durations and limits.
            prng: The source of election timeouts.
            now_ms: The monotone clock now.
            boot: Random, another one at each start: late answers to an earlier life are dropped.
            recovered: Term, vote and log.
            applied: What the space holds already; not handed out again.
        """
        assert not recovered.accepted, "this log was written by Multi-Paxos"
        log = Log(membership, recovered.compacted, recovered.entries)
        committed = max(applied, log.compacted.index)
        assert committed <= log.last_index, "the space is never ahead of the log"
        writes = Writes(durable_index=log.last_index, asked_index=log.last_index)
        hard_state = recovered.hard_state
        if log.last_term > hard_state.term:
            # A snapshot was installed and we crashed before its term was written. We have not
            # voted in that term, or the hard state would say so.
            hard_state = HardState(log.last_term)
            writes.hard_state_changed = True
        self._state = RaftState(
            me=me,
            settings=settings,
            prng=prng,
            now_ms=now_ms,
            log=log,
            writes=writes,
            reads=Reads(me, boot),
            term=hard_state.term,
            voted_for=hard_state.voted_for,
            commit_index=committed,
            given_index=committed,
        )
        draw_election_timeout(self._state)

    @property
    def state(self) -> RaftState:
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

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next."""
        raft = self._state
        if raft.role is Role.LEADER:
            if raft.has_notice:
                return min(raft.heartbeat_deadline_ms, raft.notice_due_ms)
            return raft.heartbeat_deadline_ms
        if raft.role is Role.FOLLOWER:
            if raft.reads.asked:
                return raft.reads.next_deadline_ms(raft.election_deadline_ms)
            return raft.election_deadline_ms
        return min(raft.ask_again_ms, raft.election_deadline_ms)

    def step(self, sender: NodeId, message: Any, now_ms: int) -> None:
        """Take in a message of `sender`."""
        raft = self._state
        assert now_ms >= raft.now_ms, "a monotone clock never goes back"
        raft.now_ms = now_ms
        if level(raft, sender, message):
            _ON[type(message)](raft, sender, message)

    def tick(self, now_ms: int) -> None:
        """`deadline_ms` has passed."""
        raft = self._at(now_ms)
        if raft.role is Role.LEADER:
            leader.tick(raft)
        else:
            election.tick(raft)

    def campaign(self, now_ms: int) -> None:
        """Stand for election now; a leader leads on."""
        raft = self._at(now_ms)
        if raft.role is not Role.LEADER:
            election.campaign(raft)

    def propose(self, payload: bytes, now_ms: int) -> Position | Refused:
        """Append one entry of commands, or refuse without any effect."""
        return leader.propose(self._at(now_ms), payload)

    def read_barrier(self, ticket: int, now_ms: int) -> None:
        """Ask for the index a linearizable read must wait for."""
        raft = self._at(now_ms)
        waiting = Ticket(raft.me, raft.reads.boot, ticket)
        has_room = raft.reads.waiting < raft.settings.reads_max
        if raft.role is Role.FOLLOWER and raft.leader is not None and has_room:
            raft.reads.gather(waiting, now_ms + raft.settings.election_ms_min)
        else:
            leader.read(raft, waiting)

    def change_membership(self, target: Membership, now_ms: int) -> Position | Refused:
        """Begin to make `target` the membership, or refuse without any effect."""
        return members.change(self._at(now_ms), target)

    def transfer_leadership(self, to: NodeId | None, now_ms: int) -> bool:
        """Start handing leadership to `to`; False if nothing was started."""
        return transfer.begin(self._at(now_ms), to)

    def compact(self, index: Index) -> None:
        """Drop entries up to `index`, which is applied and durable in the space."""
        raft = self._state
        if index <= raft.log.compacted.index:
            return
        assert index <= raft.given_index, "only what was applied may be forgotten"
        raft.log.compact(index)
        raft.writes.compacted = raft.log.compacted

    def snapshot_installed(self, mark: Mark, membership: Membership, now_ms: int) -> None:
        """The space now holds the state at `mark`."""
        follower.install_snapshot(self._at(now_ms), mark, membership)

    def snapshot_sent(self, peer: NodeId, mark: Mark | None, now_ms: int) -> None:
        """`peer` installed a snapshot at `mark`; None: the stream failed."""
        leader.snapshot_sent(self._at(now_ms), peer, mark)

    def peer_alive(self, peer: NodeId, now_ms: int) -> None:
        """Something else than consensus was heard from `peer`."""
        progress = self._at(now_ms).peers.get(peer)
        if progress is not None:
            progress.active_ms = now_ms

    def peer_unreachable(self, peer: NodeId) -> None:
        """The link to `peer` broke."""
        leader.peer_unreachable(self._state, peer)

    def persisted(self, write_id: int, now_ms: int) -> None:
        """That write, and all before it, is durable."""
        raft = self._at(now_ms)
        raft.writes.persisted(write_id)
        if raft.role is Role.LEADER:
            leader.maybe_commit(raft)
        elif raft.role is Role.CANDIDATE:
            election.on_persisted(raft)

    def quiet_beat(self, now_ms: int) -> Heartbeat | None:
        """Return the heartbeat that is due, if it is all that there is to say to all peers."""
        return quiet.beat(self._at(now_ms))

    def quiet_heard(self, sender: NodeId, said: Heartbeat, now_ms: int) -> bool:
        """Take in a leader's heartbeat, if answering it is all that follows."""
        return quiet.heard(self._at(now_ms), sender, said)

    def quiet_answered(self, sender: NodeId, term: Term, heartbeat_round: int, now_ms: int) -> bool:
        """Take in the answer to a heartbeat, if nothing else follows."""
        return quiet.answered(self._at(now_ms), sender, term, heartbeat_round)

    def match_indexes(self) -> dict[NodeId, Index]:
        """On the leader: the last index known durable on each peer, sorted by id; else empty."""
        return {peer: progress.match for peer, progress in self._state.peers.items()}

    def ready(self) -> Ready | None:
        """Return everything there is to do, or None."""
        raft = self._state
        if raft.role is Role.LEADER:
            leader.flush(raft)
        else:
            follower.flush(raft)
        if raft.reads.answers:
            self._answer_reads()
        write = raft.writes.take(raft.log, raft.term, raft.voted_for, raft.now_ms)
        committed = self._take_committed() if raft.given_index < raft.commit_index else ()
        reads = raft.reads.released
        if not (write or raft.send or raft.delayed or committed or reads or raft.snapshots):
            return None
        ready = Ready(
            write,
            tuple(raft.send),
            tuple(raft.delayed),
            committed,
            tuple(reads),
            tuple(raft.snapshots),
        )
        for handed_out in (raft.send, raft.delayed, reads, raft.snapshots):
            if handed_out:
                handed_out.clear()
        return ready

    def _at(self, now_ms: int) -> RaftState:
        raft = self._state
        assert now_ms >= raft.now_ms, "a monotone clock never goes back"
        raft.now_ms = now_ms
        return raft

    def _answer_reads(self) -> None:
        raft = self._state
        for ticket, index in raft.reads.answers:
            reply = ReadIndexReply(raft.term, ticket.boot, ticket.counter, index)
            raft.promise(raft.writes.id_for_ground(), ticket.node, reply)
        raft.reads.answers.clear()

    def _take_committed(self) -> tuple[Entry, ...]:
        raft = self._state
        # Not past what is durable here, or the space could get ahead of the log.
        through = min(raft.commit_index, raft.writes.durable_index)
        if through <= raft.given_index:
            return ()
        settings = raft.settings
        entries = raft.log.page(
            raft.given_index, through, settings.apply_entries_max, settings.apply_bytes_max
        )
        raft.given_index = entries[-1].index
        return entries
