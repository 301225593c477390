"""Promises and acceptances (Paxos Made Simple §2.2), for a whole log at once.

An acceptor promises at most one ballot a round and accepts only from the round's leader; accepting
raises the promise, since levelling a message's round comes first. All it tells is durable before.
"""

from pnyx.consensus.member import following
from pnyx.consensus.member.log import Log
from pnyx.consensus.member.messages import CommitIndex, TimeoutNow
from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.connectivity import is_happy
from pnyx.consensus.multipaxos.election import begin_again, stand
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
from pnyx.consensus.multipaxos.staging import Staging
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.ready import Entry, Mark, Role
from pnyx.ids import Index, NodeId


def on_prepare(paxos: MultiPaxosState, sender: NodeId, message: Prepare) -> None:
    """Promise the round to whoever asks first, and tell what it lacks of our log."""
    if paxos.voted_for not in (None, sender):
        paxos.promise(paxos.writes.id_for_ground(), sender, Refusal(paxos.term))
        return
    if paxos.voted_for is None:
        paxos.voted_for = sender
        paxos.writes.hard_state_changed = True
    paxos.draw_election_timeout()
    log = paxos.log
    after = log.last_index
    if (paxos.accepted, log.last_index) > (message.accepted, message.last_index):
        alike = paxos.accepted == message.accepted
        after = message.last_index if alike else message.commit_index
        after = min(max(after, message.after), log.last_index)
    settings = paxos.settings
    entries: tuple[Entry, ...] = ()
    if after < log.compacted.index:
        if sender not in paxos.streaming:
            paxos.streaming.add(sender)
            paxos.snapshots.append(sender)
    else:
        entries = log.page(
            after, log.last_index, settings.append_entries_max, settings.append_bytes_max
        )
    promise = Promise(
        paxos.term, paxos.accepted, log.last_index, paxos.commit_index, after, entries
    )
    paxos.promise(paxos.writes.id_for_ground(), sender, promise)


def on_accept(paxos: MultiPaxosState, sender: NodeId, message: Accept) -> None:
    """Accept the leader's entries, once our log is the leader's up to where it adopted it."""
    _hear_leader(paxos, sender)
    if paxos.accepted != message.term:
        _synchronize(paxos, sender, message)
        return
    log = paxos.log
    if message.previous_index > log.last_index:
        # Something of the stream was lost.
        _want(paxos, sender, message, log.last_index)
        return
    # In one ballot there is one log, so whatever reaches further goes on where ours ends.
    log.extend(message.entries[log.last_index - message.previous_index :])
    paxos.commit_to(min(message.commit_index, log.last_index))
    paxos.acknowledged = log.last_index


def on_beat(paxos: MultiPaxosState, sender: NodeId, message: Beat) -> None:
    """Answer, so that both know that they are connected."""
    if sender in paxos.heard:
        paxos.heard[sender].happy = message.happy
    if message.leads and message.term == paxos.term:
        _hear_leader(paxos, sender)
        paxos.leader_happy = message.happy
        if not message.happy:
            # It may be replaced as soon as it would be if it were silent: ask who else is there.
            paxos.election_deadline_ms = min(
                paxos.election_deadline_ms, paxos.now_ms + paxos.settings.heartbeat_ms
            )
            paxos.beat_ms = paxos.now_ms
        following.commit_if_held(paxos, message.commit_index, message.commit_term)
    # It does not wait for the disk: while an acceptance is written, which may take longer than an
    # election timeout, the leader would believe that it is alone. A promise that is not durable has
    # not left, so whoever leads below it is not replaced yet.
    paxos.post(sender, BeatReply(paxos.writes.durable_term, message.round, is_happy(paxos)))


def on_commit_index(paxos: MultiPaxosState, sender: NodeId, message: CommitIndex) -> None:
    """Learn at once what is chosen."""
    _hear_leader(paxos, sender)
    following.commit_if_held(paxos, message.commit_index, message.commit_term)


def on_timeout_now(paxos: MultiPaxosState, sender: NodeId, _message: TimeoutNow) -> None:
    """Take over at once: the leader wants us to lead."""
    _hear_leader(paxos, sender)
    if paxos.may_stand() and not paxos.is_stalled():
        stand(paxos)


def install_snapshot(paxos: MultiPaxosState, mark: Mark, membership: Membership) -> None:
    """The space holds the state at `mark`: keep what agrees with it, else start there."""
    assert mark.index > paxos.commit_index, "a snapshot brings something new"
    if mark.term > paxos.term:
        # Snapshots travel outside the levelled messages; a log never ends above its round.
        paxos.adopt_term(mark.term)
    agrees = paxos.log.term_at(mark.index) == mark.term
    paxos.writes.skip_to(mark, agrees=agrees)
    if agrees:
        paxos.commit_to(mark.index)
        paxos.log.compact(mark.index)
    else:
        if paxos.role is Role.LEADER:
            # It was chosen in a higher ballot, though born in an older one: we were deposed.
            paxos.follow()
        paxos.log = Log(membership, mark)
        # All of it is chosen, and a prefix of what its last entry's ballot had accepted.
        paxos.accept_in(mark.term)
        paxos.acknowledged = None
        paxos.commit_to(mark.index)
    paxos.staging = None
    paxos.given_index = mark.index
    if paxos.role is Role.CANDIDATE:
        begin_again(paxos)


def flush(paxos: MultiPaxosState) -> None:
    """Say what has gathered since the last time: one acceptance, one question."""
    if paxos.acknowledged is not None and paxos.leader is not None:
        reply = Accepted(paxos.term, paxos.acknowledged)
        paxos.promise(paxos.writes.id_for_entries(paxos.acknowledged), paxos.leader, reply)
        paxos.acknowledged = None
    if paxos.reads.gathered:
        following.ask(paxos)


def _hear_leader(paxos: MultiPaxosState, sender: NodeId) -> None:
    if paxos.role is not Role.FOLLOWER:
        assert paxos.role is not Role.LEADER, "a round has at most one leader"
        paxos.follow()
    assert paxos.leader in (None, sender), "a round has at most one leader"
    if paxos.leader is None:
        paxos.leader_happy = True
        paxos.streaming.clear()
    paxos.leader = sender
    paxos.heard_ms = paxos.now_ms
    if paxos.leader_happy:
        paxos.be_led()


def _synchronize(paxos: MultiPaxosState, sender: NodeId, message: Accept) -> None:
    """Take in a page of the log that the leader adopted; accept it when it is whole."""
    log, end = paxos.log, Index(message.previous_index + len(message.entries))
    staging = paxos.staging
    agrees = log.term_at(message.previous_index) == message.previous_term
    if agrees and end <= message.commit_index and end < message.sync_index:
        _learn_chosen(paxos, message, end)
        _want(paxos, sender, message, end)
        return
    if staging is None or staging.term != message.term or staging.end != message.previous_index:
        if not agrees:
            # What is chosen here is in the leader's log.
            is_begun = staging is not None and staging.term == message.term
            after = staging.end if staging is not None and is_begun else paxos.commit_index
            _want(paxos, sender, message, after)
            return
        staging = paxos.staging = Staging(message.term, message.previous_index)
    staging.entries.extend(message.entries)
    if staging.end < message.sync_index:
        _want(paxos, sender, message, staging.end)
        return
    paxos.staging = None
    paxos.graft(staging.base, staging.entries, cut_rest=True)
    paxos.accept_in(message.term)
    paxos.commit_to(min(message.commit_index, log.last_index))
    paxos.acknowledged = log.last_index


def _learn_chosen(paxos: MultiPaxosState, message: Accept, end: Index) -> None:
    # Chosen entries need no acceptance, and far behind there are many: they are not staged.
    before = paxos.log.last_index
    was_cut = paxos.graft(message.previous_index, list(message.entries), cut_rest=False)
    if was_cut or paxos.log.last_index > before:
        # All of it is chosen, and a prefix of what its last entry's ballot had accepted.
        paxos.accept_in(paxos.log.last_term)
    paxos.commit_to(end)


def _want(paxos: MultiPaxosState, sender: NodeId, message: Accept, after: Index) -> None:
    wanted = Wanted(paxos.term, message.previous_index, after)
    paxos.promise(paxos.writes.id_for_ground(), sender, wanted)
