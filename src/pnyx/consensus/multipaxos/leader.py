"""Phase 2: have the log accepted everywhere, say what is chosen, confirm reads.

Nothing leaves while a message is looked at. `flush` runs once for all that came in between two
calls of `ready`, so proposals share an accept, and a commit index rides on it. A ballot's log only
grows, so a position in it numbers the stream; who finds a gap asks for what follows its end.
"""

from pnyx.consensus.member import leading, members, stream, transfer
from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.multipaxos.connectivity import is_happy, quorum_silent_ms
from pnyx.consensus.multipaxos.messages import Accept, Accepted, Beat, BeatReply, Wanted
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.quorum import reached
from pnyx.consensus.ready import Entry, Mark, Role
from pnyx.ids import Index, NodeId


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
    paxos.failures = 0
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
        transfer.resign(paxos)
        paxos.follow()
    elif quorum_silent_ms(paxos) >= paxos.settings.election_ms_max:
        # Clients must not wait on a leader that nobody follows any more.
        paxos.follow()


def on_accepted(paxos: MultiPaxosState, sender: NodeId, message: Accepted) -> None:
    """A peer has accepted our log up to there in our ballot, durably."""
    progress = leading.heard_from(paxos, sender)
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
    progress = leading.heard_from(paxos, sender)
    if progress is None or progress.flow is Flow.SNAPSHOT:
        return
    if not progress.has_answered(message.previous_index):
        after = min(message.index, paxos.log.last_index)
        progress.refused(Index(after + 1), paxos.reads.round)


def on_beat_reply(paxos: MultiPaxosState, sender: NodeId, message: BeatReply) -> None:
    """A peer had promised nothing above our ballot when that heartbeat arrived."""
    progress = paxos.peers.get(sender)
    if progress is not None and message.term == paxos.term:
        progress.active_ms = paxos.now_ms
        progress.answered(message.round)
        leading.confirm_reads(paxos)


def maybe_commit(paxos: MultiPaxosState) -> None:
    """What a quorum has accepted in our ballot is chosen, whatever ballot it was born in."""
    held = {peer: progress.match for peer, progress in paxos.peers.items()}
    # Our own acceptance counts when it is durable, like everybody else's.
    held[paxos.me] = paxos.writes.durable_index if paxos.writes.is_ground_durable() else Index(0)
    index = Index(reached(held, paxos.log.membership))
    if index > paxos.commit_index:
        leading.commit(paxos, index)
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


def flush(paxos: MultiPaxosState) -> None:
    """Send everything that is due to every peer."""
    if paxos.beat_due or paxos.reads.wants_round():
        paxos.beat_due = False
        paxos.reads.begin_round(paxos.commit_index)
        happy = is_happy(paxos)
        for peer, progress in paxos.peers.items():
            _send_beat(paxos, peer, progress, happy=happy)
        # Alone we are our own quorum.
        leading.confirm_reads(paxos)
    stream.send_due(paxos, _accept)
    if paxos.transfer is not None:
        transfer.hand_over(paxos)
        if paxos.transfer.told and members.is_removed(paxos):
            paxos.follow()


def _accept(paxos: MultiPaxosState, previous: Mark, entries: tuple[Entry, ...]) -> Accept:
    return Accept(
        paxos.term, previous.index, previous.term, entries, paxos.term_start, paxos.commit_index
    )


def _send_beat(paxos: MultiPaxosState, peer: NodeId, progress: Progress, *, happy: bool) -> None:
    index, term = leading.committed_there(paxos, progress)
    question = Beat(paxos.term, paxos.reads.round, happy, True, index, term)
    paxos.post(peer, question)
    progress.told_commit = max(progress.told_commit, index)
