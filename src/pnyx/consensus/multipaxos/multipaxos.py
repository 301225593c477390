"""The door of Multi-Paxos: one member of one group behind the `Consensus` contract.

Thin on purpose. It keeps the clock, levels rounds, sends each message to the function that knows
what to do with it, and gathers what is to be done into one `Ready`. The rules are in election,
acceptor and leader; what they work on is in state.
"""

from typing import Any, Final

from pnyx.consensus.member import following, leading
from pnyx.consensus.member.door import Door
from pnyx.consensus.member.messages import CommitIndex, ReadIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.member.start import Start, begun
from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos import acceptor, connectivity, election, leader, quiet
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
from pnyx.consensus.ready import Mark, Ready, Role
from pnyx.ids import NodeId, Term

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
    ReadIndex: leading.on_read_index,
    ReadIndexReply: following.on_read_index_reply,
}
_REQUESTS: Final = frozenset({Prepare, Accept, CommitIndex, TimeoutNow})
"""Whoever sends one of these in a lower round must learn ours."""


class MultiPaxos(Door[MultiPaxosState]):
    """One member of one group. See consensus.py for what each method promises."""

    __slots__ = ()

    def __init__(self, start: Start) -> None:
        """Start as a follower.

        A member that led before it crashed does not lead any more, and never again in that ballot:
        the round it stands in next is above the one it had promised, itself included.
        """
        paxos = begun(MultiPaxosState, start)
        paxos.accepted = start.recovered.accepted
        if paxos.log.last_term > paxos.accepted:
            paxos.accept_in(paxos.log.last_term)
        paxos.beat_ms = start.now_ms
        super().__init__(paxos)

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next."""
        paxos = self._state
        if paxos.role is Role.LEADER:
            return leading.due_ms(paxos, paxos.beat_ms)
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

    def snapshot_installed(self, mark: Mark, membership: Membership, now_ms: int) -> None:
        """The space now holds the state at `mark`."""
        acceptor.install_snapshot(self._at(now_ms), mark, membership)

    def snapshot_sent(self, peer: NodeId, mark: Mark | None, now_ms: int) -> None:
        """`peer` installed a snapshot at `mark`; None: the stream failed."""
        leader.snapshot_sent(self._at(now_ms), peer, mark)

    def persisted(self, write_id: int, now_ms: int) -> None:
        """That write, and all before it, is durable."""
        paxos = self._at(now_ms)
        paxos.writes.persisted(write_id, now_ms)
        if paxos.role is Role.LEADER:
            leader.maybe_commit(paxos)
        elif paxos.role is Role.CANDIDATE:
            election.on_persisted(paxos)

    def quiet_beat(self, now_ms: int) -> Beat | None:
        """Return the heartbeat that is due, if it is all that there is to say to all peers."""
        return quiet.beat(self._at(now_ms))

    def quiet_heard(self, sender: NodeId, said: Beat, now_ms: int) -> bool:
        """Take in a leader's heartbeat, if answering it is all that follows."""
        return quiet.heard(self._at(now_ms), sender, said)

    def quiet_answered(
        self, sender: NodeId, term: Term, heartbeat_round: int, now_ms: int
    ) -> BeatReply | None:
        """Take in the answer to a heartbeat, if nothing else follows."""
        return quiet.answered(self._at(now_ms), sender, term, heartbeat_round)

    def ready(self) -> Ready | None:
        """Return everything there is to do, or None."""
        paxos = self._state
        if paxos.role is Role.LEADER:
            leader.flush(paxos)
        else:
            acceptor.flush(paxos)
        return self._handed_out()

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
