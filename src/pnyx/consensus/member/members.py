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

from pnyx.consensus.member import transfer
from pnyx.consensus.member.progress import Progress
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind, Position, Refused, Role
from pnyx.ids import Index


def change(member: MemberState, target: Membership) -> Position | Refused:
    """Append the first entry of a change to `target`, or refuse without any effect."""
    assert not target.outgoing, "a joint membership is a step, never an aim"
    reason = _why_not_now(member) or _why_not(member.log.membership, target)
    if reason:
        return Refused(reason)
    present = member.log.membership
    assert not present.outgoing, "a joint membership is left when it is committed"
    if target.voters == present.voters:
        return _append(member, target)
    return _append(member, msgspec.structs.replace(target, outgoing=present.voters))


def tend(member: MemberState) -> None:
    """Do what follows from the newest membership once it is committed."""
    log = member.log
    if member.commit_index < log.membership_index:
        return
    if log.membership.outgoing:
        if member.transfer is None:
            _append(member, msgspec.structs.replace(log.membership, outgoing=()))
    elif is_removed(member):
        # We led until here without counting ourselves (§4.2.2).
        if member.transfer is None:
            transfer.begin(member, None)
    elif len(member.peers) > len(log.membership.peers(member.me)):
        _part(member)


def is_removed(member: MemberState) -> bool:
    """Is a membership committed in which we are no voter?"""
    log = member.log
    return not log.membership.is_voter(member.me) and member.commit_index >= log.membership_index


def _why_not_now(member: MemberState) -> str:
    if member.role is not Role.LEADER:
        return "not leader"
    if member.transfer is not None:
        return "transferring"
    if member.is_stalled():
        return "stalled"
    if member.commit_index < member.term_start:
        # Two leaders' uncommitted changes could have quorums that do not meet (Ongaro, raft-dev,
        # July 2015).
        return "nothing committed in this term"
    if member.log.membership_index > member.commit_index:
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


def _append(member: MemberState, membership: Membership) -> Position:
    log = member.log
    payload = msgspec.msgpack.encode(membership)
    entry = Entry(Index(log.last_index + 1), member.term, EntryKind.MEMBERSHIP, payload)
    log.append(entry)
    member.uncommitted_bytes += len(payload)
    # Who is dropped stays for a while: it is to hear that its removal is committed.
    peers = sorted({*member.peers, *membership.peers(member.me)})
    member.peers = {
        peer: member.peers.get(peer) or Progress(next=entry.index, active_ms=member.now_ms)
        for peer in peers
    }
    member.farewell_ms = 0
    return Position(entry.index, entry.term)


def _part(member: MemberState) -> None:
    if not member.farewell_ms:
        member.farewell_ms = member.now_ms + member.settings.election_ms_max
    elif member.now_ms >= member.farewell_ms:
        members = member.log.membership.peers(member.me)
        member.peers = {
            peer: progress for peer, progress in member.peers.items() if peer in members
        }
        member.farewell_ms = 0
