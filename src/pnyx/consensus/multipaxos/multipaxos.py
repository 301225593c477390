"""The door of Multi-Paxos: one member of one group behind the `Consensus` contract.

Thin on purpose. It keeps the clock, levels rounds, sends each message to the function that knows
what to do with it, and gathers what is to be done into one `Ready`. The rules are in election,
acceptor and leader; what they work on is in state.
"""

from typing import Any, Final

from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos import acceptor, connectivity, election, leader
from pnyx.consensus.multipaxos.messages import (
    Accept,
    Accepted,
    Beat,
    BeatReply,
    Prepare,
    Promise,
    Refusal,
    Wanted,
)
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.raft import members, transfer
from pnyx.consensus.raft.log import Log
from pnyx.consensus.raft.messages import CommitIndex, ReadIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.raft.reads import Reads, Ticket
from pnyx.consensus.raft.settings import RaftSettings
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
    Beat: acceptor.on_beat,
    BeatReply: leader.on_beat_reply,
    Prepare: acceptor.on_prepare,
    Promise: election.on_promise,
    Refusal: election.on_refusal,
    Accept: acceptor.on_accept,
    Accepted: leader.on_accepted,
    Wanted: leader.on_wanted,
    CommitIndex: acceptor.on_commit_index,
    TimeoutNow: acceptor.on_timeout_now,
    ReadIndex: leader.on_read_index,
    ReadIndexReply: acceptor.on_read_index_reply,
}
_REQUESTS: Final = frozenset({Prepare, Accept, CommitIndex, TimeoutNow})
"""Whoever sends one of these in a lower round must learn ours."""


class MultiPaxos:
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

        A member that led before it crashed does not lead any more, and never again in that ballot:
        the round it stands in next is above the one it had promised, itself included.

        Args:
            me: This node.
            membership: In force at the log's beginning; entries above it may bring a newer one.
            settings: Durations and limits.
            prng: The source of election timeouts.
            now_ms: The monotone clock now.
            boot: Random, another one at each start: late answers to an earlier life are dropped.
            recovered: The promise (a round, and whose ballot was promised in it) and the log.
            applied: What the space holds already; not handed out again.
        """
        log = Log(membership, recovered.compacted, recovered.entries)
        committed = max(applied, log.compacted.index)
        assert committed <= log.last_index, "the space is never ahead of the log"
        writes = Writes(durable_index=log.last_index, asked_index=log.last_index)
        hard_state = recovered.hard_state
        if log.last_term > hard_state.term:
            # A snapshot was installed and we crashed before its round was written. We have not
            # promised anything in that round, or the hard state would say so.
            hard_state = HardState(log.last_term)
            writes.hard_state_changed = True
        accepted = recovered.accepted
        if log.last_term > accepted:
            accepted = writes.accepted = log.last_term
        self._state = MultiPaxosState(
            me=me,
            settings=settings,
            prng=prng,
            now_ms=now_ms,
            log=log,
            writes=writes,
            reads=Reads(me, boot),
            term=hard_state.term,
            voted_for=hard_state.voted_for,
            accepted=accepted,
            commit_index=committed,
            given_index=committed,
            beat_ms=now_ms,
        )
        self._state.draw_election_timeout()

    @property
    def state(self) -> MultiPaxosState:
        """Everything this member knows: for the Lab, which looks but never touches."""
        return self._state

    @property
    def role(self) -> Role:
        """What this node is in its group now; a candidate is in phase 1, a leader in phase 2."""
        return self._state.role

    @property
    def term(self) -> Term:
        """The newest round heard of; perhaps not durable yet."""
        return self._state.term

    @property
    def leader(self) -> NodeId | None:
        """The leader of the current round as far as known here."""
        return self._state.leader

    @property
    def membership(self) -> Membership:
        """The newest membership in the log, chosen or not."""
        return self._state.log.membership

    @property
    def commit_index(self) -> Index:
        """The last entry known here to be chosen, with all before it."""
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
        paxos = self._state
        if paxos.role is Role.LEADER:
            return paxos.beat_ms
        due_ms = min(paxos.beat_ms, paxos.reads.next_deadline_ms(paxos.election_deadline_ms))
        return min(due_ms, paxos.ask_again_ms) if paxos.role is Role.CANDIDATE else due_ms

    def step(self, sender: NodeId, message: Any, now_ms: int) -> None:
        """Take in a message of `sender`."""
        paxos = self._at(now_ms)
        if isinstance(message, BeatReply):
            connectivity.hear(paxos, sender, happy=message.happy)
        if self._level(sender, message):
            _ON[type(message)](paxos, sender, message)

    def tick(self, now_ms: int) -> None:
        """`deadline_ms` has passed."""
        paxos = self._at(now_ms)
        if paxos.role is Role.LEADER:
            leader.tick(paxos)
        else:
            election.tick(paxos)

    def campaign(self, now_ms: int) -> None:
        """Stand for election now; a leader leads on."""
        paxos = self._at(now_ms)
        if paxos.role is not Role.LEADER:
            election.stand(paxos)

    def propose(self, payload: bytes, now_ms: int) -> Position | Refused:
        """Append one entry of commands, or refuse without any effect."""
        return leader.propose(self._at(now_ms), payload)

    def read_barrier(self, ticket: int, now_ms: int) -> None:
        """Ask for the index a linearizable read must wait for."""
        paxos = self._at(now_ms)
        waiting = Ticket(paxos.me, paxos.reads.boot, ticket)
        has_room = paxos.reads.waiting < paxos.settings.reads_max
        if paxos.role is Role.FOLLOWER and paxos.leader is not None and has_room:
            paxos.reads.gather(waiting, now_ms + paxos.settings.election_ms_min)
        else:
            leader.read(paxos, waiting)

    def change_membership(self, target: Membership, now_ms: int) -> Position | Refused:
        """Begin to make `target` the membership, or refuse without any effect."""
        return members.change(self._at(now_ms), target)

    def transfer_leadership(self, to: NodeId | None, now_ms: int) -> bool:
        """Start handing leadership to `to`; False if nothing was started."""
        return transfer.begin(self._at(now_ms), to)

    def compact(self, index: Index) -> None:
        """Drop entries up to `index`, which is applied and durable in the space."""
        paxos = self._state
        if index <= paxos.log.compacted.index:
            return
        assert index <= paxos.given_index, "only what was applied may be forgotten"
        paxos.log.compact(index)
        paxos.writes.compacted = paxos.log.compacted

    def snapshot_installed(self, mark: Mark, membership: Membership, now_ms: int) -> None:
        """The space now holds the state at `mark`."""
        acceptor.install_snapshot(self._at(now_ms), mark, membership)

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
        paxos = self._at(now_ms)
        paxos.writes.persisted(write_id)
        if paxos.role is Role.LEADER:
            leader.maybe_commit(paxos)
        elif paxos.role is Role.CANDIDATE:
            election.on_persisted(paxos)

    def quiet_beat(self, _now_ms: int) -> None:
        """Return nothing: here all voters ask each other, not the leader alone."""

    def quiet_heard(self, _sender: NodeId, _said: Any, _now_ms: int) -> bool:
        """Take in nothing."""
        return False

    def quiet_answered(self, _sender: NodeId, _term: Term, _round: int, _now_ms: int) -> bool:
        """Take in nothing."""
        return False

    def match_indexes(self) -> dict[NodeId, Index]:
        """On the leader: the last index accepted on each peer, sorted by id; else empty."""
        return {peer: progress.match for peer, progress in self._state.peers.items()}

    def ready(self) -> Ready | None:
        """Return everything there is to do, or None."""
        paxos = self._state
        if paxos.role is Role.LEADER:
            leader.flush(paxos)
        else:
            acceptor.flush(paxos)
        self._answer_reads()
        write = paxos.writes.take(paxos.log, paxos.term, paxos.voted_for, paxos.now_ms)
        committed = self._take_committed()
        reads = paxos.reads.released
        if not (write or paxos.send or paxos.delayed or committed or reads or paxos.snapshots):
            return None
        ready = Ready(
            write,
            tuple(paxos.send),
            tuple(paxos.delayed),
            committed,
            tuple(reads),
            tuple(paxos.snapshots),
        )
        paxos.send.clear()
        paxos.delayed.clear()
        reads.clear()
        paxos.snapshots.clear()
        return ready

    def _level(self, sender: NodeId, message: Any) -> bool:
        """Return whether `message` is of our round now and is to be looked at."""
        paxos = self._state
        if message.term > paxos.term:
            paxos.adopt_term(message.term)
        elif message.term < paxos.term:
            ground = paxos.writes.id_for_ground()
            if type(message) in _REQUESTS:
                paxos.promise(ground, sender, Refusal(paxos.term))
            elif isinstance(message, ReadIndex):
                refused = ReadIndexReply(paxos.term, message.boot, message.counter, None)
                paxos.promise(ground, sender, refused)
            # Connectivity does not depend on rounds; the answer tells ours.
            return isinstance(message, Beat)
        return True

    def _at(self, now_ms: int) -> MultiPaxosState:
        paxos = self._state
        assert now_ms >= paxos.now_ms, "a monotone clock never goes back"
        paxos.now_ms = now_ms
        return paxos

    def _answer_reads(self) -> None:
        paxos = self._state
        for ticket, index in paxos.reads.answers:
            reply = ReadIndexReply(paxos.term, ticket.boot, ticket.counter, index)
            paxos.promise(paxos.writes.id_for_ground(), ticket.node, reply)
        paxos.reads.answers.clear()

    def _take_committed(self) -> tuple[Entry, ...]:
        paxos = self._state
        # Not past what is durable here, or the space could get ahead of the log.
        through = min(paxos.commit_index, paxos.writes.durable_index)
        if through <= paxos.given_index:
            return ()
        settings = paxos.settings
        entries = paxos.log.page(
            paxos.given_index, through, settings.apply_entries_max, settings.apply_bytes_max
        )
        paxos.given_index = entries[-1].index
        return entries
