"""Phase 2: have the log accepted everywhere, say what is chosen, confirm reads.

Nothing leaves while a message is looked at. `flush` runs once for all that came in between two
calls of `ready`, so proposals share an accept, and a commit index rides on it. A ballot's log only
grows, so a position in it numbers the stream; who finds a gap asks for what follows its end.
"""

from pnyx.consensus.multipaxos.connectivity import is_happy, quorum_silent_ms
from pnyx.consensus.multipaxos.messages import Accept, Accepted, Beat, BeatReply, Wanted
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.quorum import reached
from pnyx.consensus.raft import members, transfer
from pnyx.consensus.raft.messages import CommitIndex, ReadIndex, TimeoutNow
from pnyx.consensus.raft.progress import Flow, Progress
from pnyx.consensus.raft.reads import Ticket
from pnyx.consensus.ready import Entry, EntryKind, Mark, Position, Refused, Role
from pnyx.ids import Index, NodeId, Term


def lead(paxos: MultiPaxosState) -> None:
    """A quorum promised: adopt the highest log that was accepted, in our ballot from now on."""
    best, log = paxos.best, paxos.log
    paxos.adopted = paxos.accepted
    if best is not None:
        paxos.adopted = best.accepted
        paxos.graft(best.base, best.entries, cut_rest=True)
    first = {peer: Index(log.last_index + 1) for peer in log.membership.peers(paxos.me)}
    for peer, told in paxos.promised.items():
        if peer in first:
            # A suffix is enough for a log that was accepted in the same ballot.
            alike = told.accepted == paxos.adopted
            first[peer] = Index((told.last_index if alike else told.commit_index) + 1)
    paxos.role = Role.LEADER
    paxos.leader = paxos.me
    paxos.votes, paxos.promised, paxos.best = {}, {}, None
    paxos.accept_in(paxos.term)
    paxos.term_start = log.last_index
    paxos.peers = {
        peer: Progress(next=min(index, Index(log.last_index + 1)), active_ms=paxos.now_ms)
        for peer, index in first.items()
    }
    paxos.uncommitted_bytes = log.bytes_between(paxos.commit_index, log.last_index)
    paxos.beat_due = True
    paxos.beat_ms = paxos.settings.next_beat_ms(paxos.now_ms)
    # What a leader before us left half done: nothing need be committed first that would show it.
    members.tend(paxos)


def tick(paxos: MultiPaxosState) -> None:
    """Be heard, and notice what no message would tell: a lost quorum, disk, transfer or read."""
    if paxos.now_ms < paxos.beat_ms:
        return
    paxos.beat_ms = paxos.settings.next_beat_ms(paxos.now_ms)
    paxos.beat_due = True
    paxos.reads.expire(paxos.now_ms)
    if transfer.expire(paxos) and members.is_removed(paxos):
        paxos.follow()
        return
    members.tend(paxos)
    if paxos.is_stalled():
        _give_up_stalled_disk(paxos)
    elif quorum_silent_ms(paxos) >= paxos.settings.election_ms_max:
        # Clients must not wait on a leader that nobody follows any more.
        paxos.follow()


def propose(paxos: MultiPaxosState, payload: bytes) -> Position | Refused:
    """Append one entry, or refuse without any effect."""
    reason = _reason_to_refuse(paxos, len(payload))
    if reason:
        return Refused(reason)
    log = paxos.log
    entry = Entry(Index(log.last_index + 1), paxos.term, EntryKind.COMMANDS, payload)
    log.append(entry)
    paxos.uncommitted_bytes += len(payload)
    return Position(entry.index, entry.term)


def on_accepted(paxos: MultiPaxosState, sender: NodeId, message: Accepted) -> None:
    """A peer has accepted our log up to there in our ballot, durably."""
    progress = _heard_from(paxos, sender)
    if progress is None or message.match_index > paxos.log.last_index:
        return
    news = progress.acknowledge(message.match_index)
    if progress.flow is Flow.PROBE or (
        progress.flow is Flow.SNAPSHOT and progress.match >= paxos.log.compacted.index
    ):
        progress.replicate()
    if news:
        maybe_commit(paxos)


def on_wanted(paxos: MultiPaxosState, sender: NodeId, message: Wanted) -> None:
    """The stream goes on elsewhere: after a gap, or where the logs agree."""
    progress = _heard_from(paxos, sender)
    if progress is None or progress.flow is Flow.SNAPSHOT:
        return
    if progress.flow is Flow.PROBE:
        is_old = message.previous_index != progress.next - 1
    else:
        is_old = message.previous_index <= progress.match
    if not is_old:
        after = min(message.index, paxos.log.last_index)
        progress.probe(Index(after + 1), paused=False, heartbeat_round=paxos.reads.round)


def on_beat_reply(paxos: MultiPaxosState, sender: NodeId, message: BeatReply) -> None:
    """A peer had promised nothing above our ballot when that heartbeat arrived."""
    progress = paxos.peers.get(sender)
    if progress is not None and message.term == paxos.term:
        progress.active_ms = paxos.now_ms
        progress.answered(message.number)
        _confirm_reads(paxos)


def on_read_index(paxos: MultiPaxosState, sender: NodeId, message: ReadIndex) -> None:
    """A follower asks what its reads must wait for."""
    read(paxos, Ticket(sender, message.boot, message.counter))


def read(paxos: MultiPaxosState, ticket: Ticket) -> None:
    """Let a read wait for the next confirmed round of heartbeats, or refuse it."""
    settings = paxos.settings
    # Until all that was adopted is chosen we do not know what a leader before us told clients.
    knows_chosen = paxos.role is Role.LEADER and paxos.commit_index >= paxos.term_start
    if knows_chosen and paxos.reads.waiting < settings.reads_max:
        paxos.reads.gather(ticket, paxos.now_ms + settings.election_ms_min)
    else:
        paxos.reads.answer(ticket, None)


def maybe_commit(paxos: MultiPaxosState) -> None:
    """What a quorum has accepted in our ballot is chosen, whatever ballot it was born in."""
    held = {peer: progress.match for peer, progress in paxos.peers.items()}
    # Our own acceptance counts when it is durable, like everybody else's.
    held[paxos.me] = paxos.writes.durable_index if paxos.writes.is_ground_durable() else Index(0)
    index = Index(reached(held, paxos.log.membership))
    if index > paxos.commit_index:
        paxos.commit_to(index)
        members.tend(paxos)


def snapshot_sent(paxos: MultiPaxosState, peer: NodeId, mark: Mark | None) -> None:
    """The stream to `peer` ended: it installed the state at `mark`, or the stream failed."""
    paxos.streaming.discard(peer)
    progress = paxos.peers.get(peer)
    if progress is None:
        return
    if mark is not None:
        progress.active_ms = paxos.now_ms
    if progress.flow is Flow.SNAPSHOT:
        # An installed state is no acceptance: the peer says itself what it has accepted.
        held = paxos.log.compacted.index if mark is None else mark.index
        first = Index(max(progress.match, min(held, paxos.log.last_index)) + 1)
        progress.probe(first, paused=mark is None, heartbeat_round=paxos.reads.round)


def peer_unreachable(paxos: MultiPaxosState, peer: NodeId) -> None:
    """What was in flight to `peer` is lost: probe again once it answers a heartbeat."""
    progress = paxos.peers.get(peer)
    if progress is None or progress.flow is Flow.SNAPSHOT:
        return
    first = progress.next if progress.flow is Flow.PROBE else Index(progress.match + 1)
    progress.probe(first, paused=True, heartbeat_round=paxos.reads.round)


def flush(paxos: MultiPaxosState) -> None:
    """Send everything that is due to every peer."""
    if paxos.beat_due or paxos.reads.wants_round():
        paxos.beat_due = False
        paxos.reads.begin_round(paxos.commit_index)
        happy = is_happy(paxos)
        for peer, progress in paxos.peers.items():
            _send_beat(paxos, peer, progress, happy=happy)
        # Alone we are our own quorum.
        _confirm_reads(paxos)
    accepts: dict[Index, Accept] = {}
    for peer, progress in paxos.peers.items():
        _send_entries(paxos, peer, progress, accepts)
        if progress.flow is Flow.REPLICATE and progress.told_commit < paxos.commit_index:
            _tell_commit(paxos, peer, progress)
    transfer.hand_over(paxos)
    if paxos.transfer is not None and paxos.transfer.told and members.is_removed(paxos):
        paxos.follow()


def _send_entries(
    paxos: MultiPaxosState, peer: NodeId, progress: Progress, accepts: dict[Index, Accept]
) -> None:
    if progress.paused or progress.flow is Flow.SNAPSHOT:
        return
    if progress.next <= paxos.log.compacted.index:
        progress.flow = Flow.SNAPSHOT
        paxos.snapshots.append(peer)
        return
    settings = paxos.settings
    if progress.flow is Flow.PROBE:
        paxos.post(peer, _accept_from(paxos, progress.next, accepts))
        progress.paused = True
        progress.probe_round = paxos.reads.round
        return
    while progress.next <= paxos.log.last_index and progress.has_room(
        settings.inflight_max, settings.inflight_bytes_max
    ):
        message = _accept_from(paxos, progress.next, accepts)
        paxos.post(peer, message)
        last_index = message.entries[-1].index
        size = sum(len(entry.payload) for entry in message.entries)
        progress.sent(last_index, size, paxos.reads.round)
        progress.told_commit = max(progress.told_commit, min(paxos.commit_index, last_index))
        progress.poke = False
    if progress.poke:
        # Empty, so it fits through a full window: if what was in flight is lost, it is a gap.
        progress.poke = False
        previous = Index(progress.next - 1)
        term = paxos.log.mark_at(previous).term
        empty = Accept(paxos.term, previous, term, (), paxos.term_start, paxos.commit_index)
        paxos.post(peer, empty)


def _accept_from(paxos: MultiPaxosState, first: Index, accepts: dict[Index, Accept]) -> Accept:
    # Peers at the same place get the same object: the node encodes it once.
    message = accepts.get(first)
    if message is None:
        settings = paxos.settings
        previous = paxos.log.mark_at(Index(first - 1))
        entries = paxos.log.page(
            previous.index,
            paxos.log.last_index,
            settings.append_entries_max,
            settings.append_bytes_max,
        )
        message = Accept(
            paxos.term,
            previous.index,
            previous.term,
            entries,
            paxos.term_start,
            paxos.commit_index,
        )
        accepts[first] = message
    return message


def _committed_there(paxos: MultiPaxosState, progress: Progress) -> tuple[Index, Term]:
    index = min(progress.match, paxos.commit_index)
    term = paxos.log.term_at(index)
    return (Index(0), Term(0)) if term is None else (index, term)


def _send_beat(paxos: MultiPaxosState, peer: NodeId, progress: Progress, *, happy: bool) -> None:
    index, term = _committed_there(paxos, progress)
    question = Beat(paxos.term, paxos.reads.round, happy, True, index, term)
    paxos.post(peer, question)
    progress.told_commit = max(progress.told_commit, index)


def _tell_commit(paxos: MultiPaxosState, peer: NodeId, progress: Progress) -> None:
    index, term = _committed_there(paxos, progress)
    if index > progress.told_commit:
        paxos.post(peer, CommitIndex(paxos.term, index, term))
        progress.told_commit = index


def _confirm_reads(paxos: MultiPaxosState) -> None:
    if not paxos.reads.confirming:
        return
    acked = {peer: progress.acked_round for peer, progress in paxos.peers.items()}
    acked[paxos.me] = paxos.reads.round
    paxos.reads.confirm(reached(acked, paxos.log.membership))


def _heard_from(paxos: MultiPaxosState, sender: NodeId) -> Progress | None:
    progress = paxos.peers.get(sender)
    if progress is not None:
        progress.active_ms = paxos.now_ms
    return progress


def _reason_to_refuse(paxos: MultiPaxosState, size: int) -> str:
    settings = paxos.settings
    if paxos.role is not Role.LEADER:
        return "not leader"
    if paxos.transfer is not None:
        return "transferring"
    if paxos.is_stalled():
        return "stalled"
    if size > settings.entry_bytes_max:
        return "too large"
    if paxos.uncommitted_bytes + size > settings.uncommitted_bytes_max:
        return "full"
    return ""


def _give_up_stalled_disk(paxos: MultiPaxosState) -> None:
    # Heartbeats do not need the disk, so without this a hung disk would keep its leader for ever.
    successor = transfer.best_successor(paxos)
    if successor is not None:
        paxos.post(successor, TimeoutNow(paxos.term))
    paxos.follow()
