"""What a leader does with either engine: propose, confirm reads, say what is committed."""

from pnyx.consensus.member.messages import CommitIndex, ReadIndex
from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.member.reads import Ticket
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.quorum import reached
from pnyx.consensus.ready import Entry, EntryKind, Position, Refused, Role
from pnyx.ids import Index, NodeId, Term


def propose(member: MemberState, payload: bytes) -> Position | Refused:
    """Append one entry, or refuse without any effect."""
    reason = _reason_to_refuse(member, len(payload))
    if reason:
        return Refused(reason)
    log = member.log
    entry = Entry(Index(log.last_index + 1), member.term, EntryKind.COMMANDS, payload)
    log.append(entry)
    member.uncommitted_bytes += len(payload)
    return Position(entry.index, entry.term)


def on_read_index(member: MemberState, sender: NodeId, message: ReadIndex) -> None:
    """A follower asks what its reads must wait for (dissertation §6.4)."""
    member.thrift.read_at(sender)
    read(member, Ticket(sender, message.boot, message.counter))


def read(member: MemberState, ticket: Ticket) -> None:
    """Let a read wait for the next confirmed round of heartbeats, or refuse it."""
    settings = member.settings
    # Until that much is committed we do not know what is (Raft §8).
    knows_committed = member.role is Role.LEADER and member.commit_index >= member.term_start
    if knows_committed and member.reads.waiting < settings.reads_max:
        member.reads.gather(ticket, member.now_ms + settings.election_ms_min)
    else:
        member.reads.answer(ticket, None)


def confirm_reads(member: MemberState) -> None:
    """Release the reads whose round a quorum has answered."""
    if not member.reads.confirming:
        return
    acked = {peer: progress.acked_round for peer, progress in member.peers.items()}
    acked[member.me] = member.reads.round
    member.reads.confirm(reached(acked, member.log.membership))


def heard_from(member: MemberState, sender: NodeId) -> Progress | None:
    """Return what is known of `sender`, who is alive; None if we lead no more, or not it."""
    progress = member.peers.get(sender)
    if progress is not None:
        progress.active_ms = member.now_ms
    return progress


def committed_there(member: MemberState, progress: Progress) -> tuple[Index, Term]:
    """Return what a peer may be told to be committed."""
    # Never above the match index: what lies past it may not be ours yet (Raft §5.3).
    index = min(progress.match, member.commit_index)
    term = member.log.term_at(index)
    return (Index(0), Term(0)) if term is None else (index, term)


def commit(member: MemberState, index: Index) -> None:
    """A quorum holds the log up to `index`; peers are told soon."""
    member.commit_to(index)
    if member.settings.thrift_ms:
        quorum = [peer for peer, progress in member.peers.items() if progress.match >= index]
        member.thrift.made(frozenset(quorum), member.now_ms, member.settings)
    if not member.has_notice:
        member.notice_due_ms = member.now_ms + member.settings.notice_ms


def due_ms(member: MemberState, beat_ms: int) -> int:
    """Return when a leader has to say something; `beat_ms`: its next heartbeat."""
    if member.has_notice:
        beat_ms = min(beat_ms, member.notice_due_ms)
    thrift = member.thrift
    return min(beat_ms, thrift.due_ms(member.settings)) if thrift.is_owed else beat_ms


def sent_to_spared(member: MemberState) -> list[Index]:
    """Return the newest entry that each peer was sent which is owed more (thrift.py)."""
    thrift = member.thrift
    if not thrift.is_owed:
        return []
    return [
        Index(progress.next - 1)
        for peer, progress in member.peers.items()
        if thrift.spares(peer) and progress.flow is Flow.REPLICATE
    ]


def tell_commit(member: MemberState, peer: NodeId, progress: Progress) -> None:
    """Tell a peer what is committed, if that is news there."""
    index, term = committed_there(member, progress)
    if index > progress.told_commit:
        member.post(peer, CommitIndex(member.term, index, term))
        progress.told_commit = index


def peer_unreachable(member: MemberState, peer: NodeId) -> None:
    """What was in flight to `peer` is lost: probe again once it answers a heartbeat."""
    progress = member.peers.get(peer)
    member.thrift.lost(peer)
    if progress is None or progress.flow is Flow.SNAPSHOT:
        return
    # A probe that is lost says nothing about where the logs agree.
    first = progress.next if progress.flow is Flow.PROBE else Index(progress.match + 1)
    progress.probe(first, paused=True, heartbeat_round=member.reads.round)


def _reason_to_refuse(member: MemberState, size: int) -> str:
    settings = member.settings
    if member.role is not Role.LEADER:
        return "not leader"
    if member.transfer is not None:
        return "transferring"
    if member.is_stalled():
        return "stalled"
    if size > settings.entry_bytes_max:
        return "too large"
    if member.uncommitted_bytes + size > settings.uncommitted_bytes_max:
        return "full"
    return ""
