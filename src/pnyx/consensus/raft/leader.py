"""What a leader does: keep the logs alike, count what is durable, confirm reads.

Nothing leaves while a message is looked at. `flush` runs once for all that came in between two
calls of `ready`, so proposals share an append, and a commit index rides on it.
"""

from pnyx.consensus.quorum import reached
from pnyx.consensus.raft import members, transfer
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    CommitIndex,
    Heartbeat,
    HeartbeatReply,
    ReadIndex,
    TimeoutNow,
)
from pnyx.consensus.raft.progress import Flow, Progress
from pnyx.consensus.raft.reads import Ticket
from pnyx.consensus.raft.roles import Event, change_role
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Entry, EntryKind, Mark, Position, Refused, Role
from pnyx.ids import Index, NodeId, Term


def lead(raft: RaftState) -> None:
    """Begin the term with an empty entry, which commits all before it (Raft §5.4.2, §8)."""
    log = raft.log
    raft.leader = raft.me
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
        _give_up_stalled_disk(raft)
    elif raft.now_ms - quorum_heard_ms(raft) >= raft.settings.election_ms_max:
        # Clients must not wait on a leader that nobody follows any more (dissertation §6.2).
        change_role(raft, Event.QUORUM_LOST)


def propose(raft: RaftState, payload: bytes) -> Position | Refused:
    """Append one entry, or refuse without any effect."""
    reason = _reason_to_refuse(raft, len(payload))
    if reason:
        return Refused(reason)
    log = raft.log
    entry = Entry(Index(log.last_index + 1), raft.term, EntryKind.COMMANDS, payload)
    log.append(entry)
    raft.uncommitted_bytes += len(payload)
    return Position(entry.index, entry.term)


def on_append_entries_reply(raft: RaftState, sender: NodeId, message: AppendEntriesReply) -> None:
    """A peer's log agrees with ours, durably, up to its match index (Raft §5.3)."""
    progress = _heard_from(raft, sender)
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
    progress = _heard_from(raft, sender)
    if progress is None or progress.flow is Flow.SNAPSHOT:
        return
    if progress.flow is Flow.PROBE:
        is_old = message.previous_index != progress.next - 1
    else:
        is_old = message.previous_index <= progress.match
    if is_old:
        return
    log = raft.log
    if message.hint_index < log.compacted.index:
        next_index = Index(message.hint_index + 1)
    else:
        agreed = log.highest_with_term_up_to(message.hint_term, message.hint_index)
        next_index = log.compacted.index if agreed is None else Index(agreed.index + 1)
    progress.probe(next_index, paused=False, heartbeat_round=raft.reads.round)


def on_heartbeat_reply(raft: RaftState, sender: NodeId, message: HeartbeatReply) -> None:
    """A peer followed us when that round arrived."""
    progress = _heard_from(raft, sender)
    if progress is not None:
        progress.answered(message.round)
        _confirm_reads(raft)


def on_read_index(raft: RaftState, sender: NodeId, message: ReadIndex) -> None:
    """A follower asks what its reads must wait for (dissertation §6.4)."""
    read(raft, Ticket(sender, message.boot, message.counter))


def read(raft: RaftState, ticket: Ticket) -> None:
    """Let a read wait for the next confirmed round, or refuse it."""
    settings = raft.settings
    # Until an entry of our own term is committed we do not know what is (Raft §8).
    knows_committed = raft.role is Role.LEADER and raft.commit_index >= raft.term_start
    if knows_committed and raft.reads.waiting < settings.reads_max:
        raft.reads.gather(ticket, raft.now_ms + settings.election_ms_min)
    else:
        raft.reads.answer(ticket, None)


def maybe_commit(raft: RaftState) -> None:
    """Commit what a quorum holds durably, if it is of our own term (Raft §5.3, §5.4.2)."""
    held = {peer: progress.match for peer, progress in raft.peers.items()}
    held[raft.me] = raft.writes.durable_index
    index = Index(reached(held, raft.log.membership))
    if index <= raft.commit_index or raft.log.term_at(index) != raft.term:
        # An entry of an older term may be on a majority and still be replaced (Figure 8).
        return
    raft.commit_to(index)
    if not raft.has_notice:
        raft.notice_due_ms = raft.now_ms + raft.settings.notice_ms
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


def peer_unreachable(raft: RaftState, peer: NodeId) -> None:
    """What was in flight to `peer` is lost: probe again once it answers a heartbeat."""
    progress = raft.peers.get(peer)
    if progress is None or progress.flow is Flow.SNAPSHOT:
        return
    # A probe that is lost says nothing about where the logs agree.
    first = progress.next if progress.flow is Flow.PROBE else Index(progress.match + 1)
    progress.probe(first, paused=True, heartbeat_round=raft.reads.round)


def flush(raft: RaftState) -> None:
    """Send everything that is due to every peer."""
    if raft.heartbeat_due or (raft.reads.gathered and raft.reads.wants_round()):
        raft.heartbeat_due = False
        raft.reads.begin_round(raft.commit_index)
        for peer, progress in raft.peers.items():
            _send_heartbeat(raft, peer, progress)
        # Alone we are our own quorum.
        _confirm_reads(raft)
    appends: dict[Index, AppendEntries] = {}
    last_index = raft.log.last_index
    is_due = raft.now_ms >= raft.notice_due_ms
    raft.has_notice = False
    for peer, progress in raft.peers.items():
        if progress.next <= last_index or progress.poke or progress.flow is Flow.PROBE:
            _send_entries(raft, peer, progress, appends)
        if progress.flow is Flow.REPLICATE and progress.told_commit < raft.commit_index:
            if is_due:
                _tell_commit(raft, peer, progress)
            else:
                raft.has_notice = True
    if raft.transfer is not None:
        transfer.hand_over(raft)
        if raft.transfer.told and members.is_removed(raft):
            change_role(raft, Event.REMOVED)


def _send_entries(
    raft: RaftState, peer: NodeId, progress: Progress, appends: dict[Index, AppendEntries]
) -> None:
    if progress.paused or progress.flow is Flow.SNAPSHOT:
        return
    if progress.next <= raft.log.compacted.index:
        progress.flow = Flow.SNAPSHOT
        raft.snapshots.append(peer)
        return
    settings = raft.settings
    if progress.flow is Flow.PROBE:
        raft.post(peer, _append_from(raft, progress.next, appends))
        progress.paused = True
        progress.probe_round = raft.reads.round
        return
    while progress.next <= raft.log.last_index and progress.has_room(
        settings.inflight_max, settings.inflight_bytes_max
    ):
        message = _append_from(raft, progress.next, appends)
        raft.post(peer, message)
        last_index = message.entries[-1].index
        size = sum(len(entry.payload) for entry in message.entries)
        progress.sent(last_index, size, raft.reads.round)
        progress.told_commit = max(progress.told_commit, min(raft.commit_index, last_index))
        progress.poke = False
    if progress.poke:
        # Empty, so it fits through a full window: if what was in flight is lost, it is refused.
        progress.poke = False
        previous = Index(progress.next - 1)
        term = raft.log.mark_at(previous).term
        raft.post(peer, AppendEntries(raft.term, previous, term, (), raft.commit_index))


def _append_from(
    raft: RaftState, first: Index, appends: dict[Index, AppendEntries]
) -> AppendEntries:
    # Peers at the same place get the same object: the node encodes it once.
    message = appends.get(first)
    if message is None:
        settings = raft.settings
        previous = raft.log.mark_at(Index(first - 1))
        entries = raft.log.page(
            previous.index,
            raft.log.last_index,
            settings.append_entries_max,
            settings.append_bytes_max,
        )
        message = AppendEntries(
            raft.term, previous.index, previous.term, entries, raft.commit_index
        )
        appends[first] = message
    return message


def _committed_there(raft: RaftState, progress: Progress) -> tuple[Index, Term]:
    # Never above the match index: what lies past it may not be ours yet (Raft §5.3).
    index = min(progress.match, raft.commit_index)
    term = raft.log.term_at(index)
    return (Index(0), Term(0)) if term is None else (index, term)


def _send_heartbeat(raft: RaftState, peer: NodeId, progress: Progress) -> None:
    index, term = _committed_there(raft, progress)
    raft.post(peer, Heartbeat(raft.term, raft.reads.round, index, term))
    progress.told_commit = max(progress.told_commit, index)


def _tell_commit(raft: RaftState, peer: NodeId, progress: Progress) -> None:
    index, term = _committed_there(raft, progress)
    if index > progress.told_commit:
        raft.post(peer, CommitIndex(raft.term, index, term))
        progress.told_commit = index


def _confirm_reads(raft: RaftState) -> None:
    if not raft.reads.confirming:
        return
    acked = {peer: progress.acked_round for peer, progress in raft.peers.items()}
    acked[raft.me] = raft.reads.round
    raft.reads.confirm(reached(acked, raft.log.membership))


def _heard_from(raft: RaftState, sender: NodeId) -> Progress | None:
    # Not in `peers`: we no longer lead, or it is no member of ours.
    progress = raft.peers.get(sender)
    if progress is not None:
        progress.active_ms = raft.now_ms
    return progress


def quorum_heard_ms(raft: RaftState) -> int:
    """Return when a quorum, this leader included, was last heard."""
    heard = {peer: progress.active_ms for peer, progress in raft.peers.items()}
    heard[raft.me] = raft.now_ms
    return reached(heard, raft.log.membership)


def _reason_to_refuse(raft: RaftState, size: int) -> str:
    settings = raft.settings
    if raft.role is not Role.LEADER:
        return "not leader"
    if raft.transfer is not None:
        return "transferring"
    if raft.is_stalled():
        return "stalled"
    if size > settings.entry_bytes_max:
        return "too large"
    if raft.uncommitted_bytes + size > settings.uncommitted_bytes_max:
        return "full"
    return ""


def _give_up_stalled_disk(raft: RaftState) -> None:
    # Heartbeats do not need the disk, so without this a hung disk would keep its leader for ever.
    successor = transfer.best_successor(raft)
    if successor is not None:
        raft.post(successor, TimeoutNow(raft.term))
    change_role(raft, Event.DISK_STALLED)
