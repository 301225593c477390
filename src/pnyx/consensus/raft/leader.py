"""What a leader does: keep the logs alike, count what is durable, confirm reads.

Nothing leaves while a message is looked at. `flush` runs once for all that came in between two
calls of `ready`, so proposals share an append, and a commit index rides on it.
"""

from pnyx.consensus.member import leading, members, stream, transfer
from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.quorum import reached
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    Heartbeat,
    HeartbeatReply,
)
from pnyx.consensus.raft.roles import Event, change_role
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Entry, EntryKind, Mark
from pnyx.ids import Index, NodeId


def lead(raft: RaftState) -> None:
    """Begin the term with an empty entry, which commits all before it (Raft §5.4.2, §8)."""
    log = raft.log
    raft.leader = raft.me
    raft.failures = 0
    first = Index(log.last_index + 1)
    raft.peers = {
        peer: Progress(next=first, active_ms=raft.now_ms) for peer in log.membership.peers(raft.me)
    }
    raft.uncommitted_bytes = log.bytes_between(raft.commit_index, log.last_index)
    log.append(Entry(first, raft.term, EntryKind.EMPTY, b""))
    raft.term_start = first
    # Heartbeats leave with the first append, so that nobody else stands for election (§5.2).
    raft.heartbeat_due = True
    raft.heartbeat_deadline_ms = raft.settings.next_beat_ms(raft.now_ms)


def tick(raft: RaftState) -> None:
    """Be heard, and notice what no message would tell: a lost quorum, disk, transfer or read."""
    if raft.now_ms < raft.heartbeat_deadline_ms:
        return
    raft.heartbeat_deadline_ms = raft.settings.next_beat_ms(raft.now_ms)
    raft.heartbeat_due = True
    raft.reads.expire(raft.now_ms)
    if transfer.expire(raft) and members.is_removed(raft):
        change_role(raft, Event.REMOVED)
        return
    members.tend(raft)
    if raft.is_stalled():
        transfer.resign(raft)
        change_role(raft, Event.DISK_STALLED)
    elif raft.now_ms - quorum_heard_ms(raft) >= raft.settings.election_ms_max:
        # Clients must not wait on a leader that nobody follows any more (dissertation §6.2).
        change_role(raft, Event.QUORUM_LOST)


def on_append_entries_reply(raft: RaftState, sender: NodeId, message: AppendEntriesReply) -> None:
    """A peer's log agrees with ours, durably, up to its match index (Raft §5.3)."""
    progress = leading.heard_from(raft, sender)
    if progress is None or message.match_index > raft.log.last_index:
        return
    news = progress.acknowledge(message.match_index)
    if progress.flow is Flow.PROBE:
        progress.replicate()
    elif progress.flow is Flow.SNAPSHOT and progress.match >= raft.log.compacted.index:
        # It caught up by other means; what we still hold is enough.
        progress.replicate()
    if news:
        maybe_commit(raft)


def on_append_entries_refusal(
    raft: RaftState, sender: NodeId, message: AppendEntriesRefusal
) -> None:
    """The logs do not agree there: probe where they might, skipping whole terms (§5.3)."""
    progress = leading.heard_from(raft, sender)
    if progress is None or progress.flow is Flow.SNAPSHOT:
        return
    if progress.has_answered(message.previous_index):
        return
    log = raft.log
    if message.hint_index < log.compacted.index:
        next_index = Index(message.hint_index + 1)
    else:
        agreed = log.highest_with_term_up_to(message.hint_term, message.hint_index)
        next_index = log.compacted.index if agreed is None else Index(agreed.index + 1)
    progress.refused(next_index, raft.reads.round)


def on_heartbeat_reply(raft: RaftState, sender: NodeId, message: HeartbeatReply) -> None:
    """A peer followed us when that round arrived."""
    progress = leading.heard_from(raft, sender)
    if progress is not None:
        progress.answered(message.round)
        leading.confirm_reads(raft)


def maybe_commit(raft: RaftState) -> None:
    """Commit what a quorum holds durably, if it is of our own term (Raft §5.3, §5.4.2)."""
    held = {peer: progress.match for peer, progress in raft.peers.items()}
    held[raft.me] = raft.writes.durable_index
    index = Index(reached(held, raft.log.membership))
    if index <= raft.commit_index or raft.log.term_at(index) != raft.term:
        # An entry of an older term may be on a majority and still be replaced (Figure 8).
        return
    leading.commit(raft, index)
    members.tend(raft)


def snapshot_sent(raft: RaftState, peer: NodeId, mark: Mark | None) -> None:
    """The stream to `peer` ended: it installed the state at `mark`, or the stream failed."""
    progress = raft.peers.get(peer)
    if progress is None:
        return
    if mark is not None:
        progress.active_ms = raft.now_ms
        if mark.index <= raft.log.last_index and progress.acknowledge(mark.index):
            maybe_commit(raft)
    if progress.flow is Flow.SNAPSHOT:
        # After a failure only a sign of life may start the next stream: a dead peer gets none. And
        # first what we still hold is offered: a peer that refused the stream has more than that.
        held = raft.log.compacted.index if mark is None else Index(0)
        first = Index(max(progress.match, held) + 1)
        progress.probe(first, paused=mark is None, heartbeat_round=raft.reads.round)


def flush(raft: RaftState) -> None:
    """Send everything that is due to every peer."""
    if raft.heartbeat_due or (raft.reads.gathered and raft.reads.wants_round()):
        raft.heartbeat_due = False
        raft.reads.begin_round(raft.commit_index)
        for peer, progress in raft.peers.items():
            _send_heartbeat(raft, peer, progress)
        # Alone we are our own quorum.
        leading.confirm_reads(raft)
    stream.send_due(raft, _append)
    if raft.transfer is not None:
        transfer.hand_over(raft)
        if raft.transfer.told and members.is_removed(raft):
            change_role(raft, Event.REMOVED)


def _append(raft: RaftState, previous: Mark, entries: tuple[Entry, ...]) -> AppendEntries:
    return AppendEntries(raft.term, previous.index, previous.term, entries, raft.commit_index)


def _send_heartbeat(raft: RaftState, peer: NodeId, progress: Progress) -> None:
    index, term = leading.committed_there(raft, progress)
    raft.post(peer, Heartbeat(raft.term, raft.reads.round, index, term))
    progress.told_commit = max(progress.told_commit, index)


def quorum_heard_ms(raft: RaftState) -> int:
    """Return when a quorum, this leader included, was last heard."""
    heard = {peer: progress.active_ms for peer, progress in raft.peers.items()}
    heard[raft.me] = raft.now_ms
    return reached(heard, raft.log.membership)
