"""How a group changes its members while it works: joint consensus (dissertation §4.3).

A change of voters takes two entries. The first is joint, in force as soon as it is appended: every
quorum needs a majority of the old voters and one of the new. When it is committed the leader
appends the second, the new membership alone; nobody asked for that one, so every later leader who
finds a committed joint membership does it too. Learners are never counted, so a change of learners
alone is one entry.

Nothing of this is remembered beside the log: what is left to do is read from the newest membership
and from where it stands. So a change that was truncated never was, and one that a leader left
half done is finished by the next, once.
"""

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.consensus.raft import transfer
from pnyx.consensus.raft.progress import Progress
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Entry, EntryKind, Position, Refused, Role
from pnyx.ids import Index


def change(raft: RaftState, target: Membership) -> Position | Refused:
    """Append the first entry of a change to `target`, or refuse without any effect."""
    assert not target.outgoing, "a joint membership is a step, never an aim"
    reason = _why_not_now(raft) or _why_not(raft.log.membership, target)
    if reason:
        return Refused(reason)
    present = raft.log.membership
    assert not present.outgoing, "a joint membership is left when it is committed"
    if target.voters == present.voters:
        return _append(raft, target)
    return _append(raft, msgspec.structs.replace(target, outgoing=present.voters))


def tend(raft: RaftState) -> None:
    """Do what follows from the newest membership once it is committed."""
    log = raft.log
    if raft.commit_index < log.membership_index:
        return
    if log.membership.outgoing:
        if raft.transfer is None:
            _append(raft, msgspec.structs.replace(log.membership, outgoing=()))
    elif is_removed(raft):
        # We led until here without counting ourselves (§4.2.2).
        if raft.transfer is None:
            transfer.begin(raft, None)
    elif len(raft.peers) > len(log.membership.peers(raft.me)):
        _part(raft)


def is_removed(raft: RaftState) -> bool:
    """Is a membership committed in which we are no voter?"""
    log = raft.log
    return not log.membership.is_voter(raft.me) and raft.commit_index >= log.membership_index


def _why_not_now(raft: RaftState) -> str:
    if raft.role is not Role.LEADER:
        return "not leader"
    if raft.transfer is not None:
        return "transferring"
    if raft.is_stalled():
        return "stalled"
    if raft.commit_index < raft.term_start:
        # Two leaders' uncommitted changes could have quorums that do not meet (Ongaro, raft-dev,
        # July 2015).
        return "nothing committed in this term"
    if raft.log.membership_index > raft.commit_index:
        return "change under way"
    return ""


def _why_not(present: Membership, target: Membership) -> str:
    if not target.voters:
        return "no voters"
    if set(target.voters) & set(target.learners):
        return "voter and learner at once"
    if not set(target.voters) <= {*present.voters, *present.learners}:
        return "unknown node"
    return "nothing to change" if target == present else ""


def _append(raft: RaftState, membership: Membership) -> Position:
    log = raft.log
    payload = msgspec.msgpack.encode(membership)
    entry = Entry(Index(log.last_index + 1), raft.term, EntryKind.MEMBERSHIP, payload)
    log.append(entry)
    raft.uncommitted_bytes += len(payload)
    # Who is dropped stays for a while: it is to hear that its removal is committed.
    peers = sorted({*raft.peers, *membership.peers(raft.me)})
    raft.peers = {
        peer: raft.peers.get(peer) or Progress(next=entry.index, active_ms=raft.now_ms)
        for peer in peers
    }
    raft.farewell_ms = 0
    return Position(entry.index, entry.term)


def _part(raft: RaftState) -> None:
    if not raft.farewell_ms:
        raft.farewell_ms = raft.now_ms + raft.settings.election_ms_max
    elif raft.now_ms >= raft.farewell_ms:
        members = raft.log.membership.peers(raft.me)
        raft.peers = {peer: progress for peer, progress in raft.peers.items() if peer in members}
        raft.farewell_ms = 0
