"""What a follower does with what its leader sends. terms.py has levelled the terms.

A candidate that hears a leader of its own term becomes a follower first (Raft §5.2).
"""

from pnyx.consensus.member import following
from pnyx.consensus.member.log import Log
from pnyx.consensus.member.messages import CommitIndex, TimeoutNow
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.election import stand
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
)
from pnyx.consensus.raft.roles import Event, adopt_term, change_role
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Mark, Role
from pnyx.ids import Index, NodeId


def on_append_entries(raft: RaftState, sender: NodeId, message: AppendEntries) -> None:
    """Store the leader's entries if our logs agree just before them (Raft §5.3)."""
    _hear_leader(raft, sender)
    log = raft.log
    if log.term_at(message.previous_index) != message.previous_term:
        _refuse(raft, sender, message)
        return
    conflict = log.first_conflict(message.entries)
    if conflict is not None:
        if conflict <= raft.commit_index:
            # Only a snapshot of a later leader can have committed another entry here: the sender
            # was deposed and does not know. It must neither cut nor count us.
            return
        log.cut(conflict)
        raft.writes.cut(conflict)
    # Entries past the message stay: a delayed message must not drop what was acknowledged since.
    log.extend(message.entries[log.last_index - message.previous_index :])
    agreed = Index(message.previous_index + len(message.entries))
    # Not `last_index`: entries past `agreed` may still be another leader's (Raft Fig. 2).
    raft.commit_to(min(message.commit_index, agreed))
    raft.acknowledged = max(raft.acknowledged or Index(0), agreed)


def on_heartbeat(raft: RaftState, sender: NodeId, message: Heartbeat) -> None:
    """The leader is alive; tell it so. The answer waits for our term only, never for entries."""
    _hear_leader(raft, sender)
    following.commit_if_held(raft, message.commit_index, message.commit_term)
    reply = HeartbeatReply(raft.term, message.round)
    raft.promise(raft.writes.id_for_ground(), sender, reply)


def on_commit_index(raft: RaftState, sender: NodeId, message: CommitIndex) -> None:
    """Learn at once what is committed."""
    _hear_leader(raft, sender)
    following.commit_if_held(raft, message.commit_index, message.commit_term)


def on_timeout_now(raft: RaftState, sender: NodeId, _message: TimeoutNow) -> None:
    """Stand for election at once: the leader wants us to lead (dissertation §3.10)."""
    _hear_leader(raft, sender)
    if raft.may_stand() and not raft.is_stalled():
        stand(raft, Event.TIMEOUT_NOW)


def install_snapshot(raft: RaftState, mark: Mark, membership: Membership) -> None:
    """The space holds the state at `mark`: keep what agrees with it, else start there."""
    assert mark.index > raft.commit_index, "a snapshot brings something new"
    if mark.term > raft.term:
        # Snapshots travel outside the levelled messages; a log never ends above its term.
        adopt_term(raft, mark.term)
    agrees = raft.log.term_at(mark.index) == mark.term
    raft.writes.skip_to(mark, agrees=agrees)
    if agrees:
        raft.commit_to(mark.index)
        raft.log.compact(mark.index)
    else:
        assert raft.role is not Role.LEADER, "a leader holds everything that was ever committed"
        raft.log = Log(membership, mark)
        raft.acknowledged = None
        raft.commit_to(mark.index)
    raft.given_index = mark.index


def flush(raft: RaftState) -> None:
    """Say what has gathered since the last time: one acknowledgement, one question."""
    if raft.acknowledged is not None and raft.leader is not None:
        reply = AppendEntriesReply(raft.term, raft.acknowledged)
        raft.promise(raft.writes.id_for_entries(raft.acknowledged), raft.leader, reply)
        raft.acknowledged = None
    if raft.reads.gathered:
        following.ask(raft)


def _hear_leader(raft: RaftState, sender: NodeId) -> None:
    if raft.role is not Role.FOLLOWER:
        assert raft.role is not Role.LEADER, "a term has at most one leader (Election Safety)"
        change_role(raft, Event.LEADER_HEARD)
    assert raft.leader in (None, sender), "a term has at most one leader (Election Safety)"
    raft.leader = sender
    if raft.failures:
        raft.failures = 0
        raft.draw_patience()
    raft.heard_ms = raft.now_ms
    raft.election_deadline_ms = raft.now_ms + raft.election_ms


def _refuse(raft: RaftState, sender: NodeId, message: AppendEntries) -> None:
    log = raft.log
    held = log.term_at(message.previous_index)
    if message.previous_index <= raft.commit_index and held is not None:
        # As above: a deposed leader. A legitimate one holds what is committed here.
        return
    hint = log.highest_with_term_up_to(message.previous_term, message.previous_index)
    if hint is None or hint.index < raft.commit_index:
        # What is committed here is in the leader's log too: no probe need go further back, and
        # one that did (we have compacted past it) is asked to come forward.
        hint = log.mark_at(raft.commit_index)
    refusal = AppendEntriesRefusal(raft.term, message.previous_index, hint.index, hint.term)
    raft.promise(raft.writes.id_for_ground(), sender, refusal)
