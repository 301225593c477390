"""The door of Raft: one member of one group behind the `Consensus` contract.

Thin on purpose. It keeps the clock, levels terms, sends each message to the function that knows
what to do with it, and gathers what is to be done into one `Ready`. The rules are in terms,
election, follower and leader; what they work on is in state.
"""

from typing import Any, Final

from pnyx.consensus.member import following, leading
from pnyx.consensus.member.door import Door
from pnyx.consensus.member.messages import CommitIndex, ReadIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.member.start import Start, begun
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft import election, follower, leader, quiet
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.raft.terms import level
from pnyx.consensus.ready import Mark, Ready, Role
from pnyx.ids import NodeId, Term

_ON: Final[dict[type, Any]] = {
    AppendEntries: follower.on_append_entries,
    Heartbeat: follower.on_heartbeat,
    CommitIndex: follower.on_commit_index,
    TimeoutNow: follower.on_timeout_now,
    ReadIndexReply: following.on_read_index_reply,
    AppendEntriesReply: leader.on_append_entries_reply,
    AppendEntriesRefusal: leader.on_append_entries_refusal,
    HeartbeatReply: leader.on_heartbeat_reply,
    ReadIndex: leading.on_read_index,
    PreVote: election.on_pre_vote,
    PreVoteReply: election.on_pre_vote_reply,
    RequestVote: election.on_request_vote,
    RequestVoteReply: election.on_request_vote_reply,
}


class Raft(Door[RaftState]):
    """One member of one group. See consensus.py for what each method promises."""

    __slots__ = ()

    def __init__(self, start: Start) -> None:
        """Start as a follower."""
        assert not start.recovered.accepted, "this log was written by Multi-Paxos"
        super().__init__(begun(RaftState, start))

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next."""
        raft = self._state
        if raft.role is Role.LEADER:
            return leading.due_ms(raft, raft.heartbeat_deadline_ms)
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

    def snapshot_installed(self, mark: Mark, membership: Membership, now_ms: int) -> None:
        """The space now holds the state at `mark`."""
        follower.install_snapshot(self._at(now_ms), mark, membership)

    def snapshot_sent(self, peer: NodeId, mark: Mark | None, now_ms: int) -> None:
        """`peer` installed a snapshot at `mark`; None: the stream failed."""
        leader.snapshot_sent(self._at(now_ms), peer, mark)

    def persisted(self, write_id: int, now_ms: int) -> None:
        """That write, and all before it, is durable."""
        raft = self._at(now_ms)
        raft.writes.persisted(write_id, now_ms)
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

    def quiet_answered(
        self, sender: NodeId, term: Term, heartbeat_round: int, now_ms: int
    ) -> HeartbeatReply | None:
        """Take in the answer to a heartbeat, if nothing else follows."""
        return quiet.answered(self._at(now_ms), sender, term, heartbeat_round)

    def ready(self) -> Ready | None:
        """Return everything there is to do, or None."""
        raft = self._state
        if raft.role is Role.LEADER:
            leader.flush(raft)
        else:
            follower.flush(raft)
        return self._handed_out()
