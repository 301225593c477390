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
from pnyx.consensus.raft.leading import Leading
from pnyx.consensus.raft.progress import Progress
from pnyx.consensus.ready import Entry, EntryKind, Position, Refused, Role
from pnyx.ids import Index


def change(leading: Leading, target: Membership) -> Position | Refused:
    """Append the first entry of a change to `target`, or refuse without any effect."""
    assert not target.outgoing, "a joint membership is a step, never an aim"
    reason = _why_not_now(leading) or _why_not(leading.log.membership, target)
    if reason:
        return Refused(reason)
    present = leading.log.membership
    assert not present.outgoing, "a joint membership is left when it is committed"
    if target.voters == present.voters:
        return _append(leading, target)
    return _append(leading, msgspec.structs.replace(target, outgoing=present.voters))


def tend(leading: Leading) -> None:
    """Do what follows from the newest membership once it is committed."""
    log = leading.log
    if leading.commit_index < log.membership_index:
        return
    if log.membership.outgoing:
        if leading.transfer is None:
            _append(leading, msgspec.structs.replace(log.membership, outgoing=()))
    elif is_removed(leading):
        # We led until here without counting ourselves (§4.2.2).
        if leading.transfer is None:
            transfer.begin(leading, None)
    elif len(leading.peers) > len(log.membership.peers(leading.me)):
        _part(leading)


def is_removed(leading: Leading) -> bool:
    """Is a membership committed in which we are no voter?"""
    log = leading.log
    return not log.membership.is_voter(leading.me) and leading.commit_index >= log.membership_index


def _why_not_now(leading: Leading) -> str:
    if leading.role is not Role.LEADER:
        return "not leader"
    if leading.transfer is not None:
        return "transferring"
    if leading.is_stalled():
        return "stalled"
    if leading.commit_index < leading.term_start:
        # Two leaders' uncommitted changes could have quorums that do not meet (Ongaro, raft-dev,
        # July 2015).
        return "nothing committed in this term"
    if leading.log.membership_index > leading.commit_index:
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


def _append(leading: Leading, membership: Membership) -> Position:
    log = leading.log
    payload = msgspec.msgpack.encode(membership)
    entry = Entry(Index(log.last_index + 1), leading.term, EntryKind.MEMBERSHIP, payload)
    log.append(entry)
    leading.uncommitted_bytes += len(payload)
    # Who is dropped stays for a while: it is to hear that its removal is committed.
    peers = sorted({*leading.peers, *membership.peers(leading.me)})
    leading.peers = {
        peer: leading.peers.get(peer) or Progress(next=entry.index, active_ms=leading.now_ms)
        for peer in peers
    }
    leading.farewell_ms = 0
    return Position(entry.index, entry.term)


def _part(leading: Leading) -> None:
    if not leading.farewell_ms:
        leading.farewell_ms = leading.now_ms + leading.settings.election_ms_max
    elif leading.now_ms >= leading.farewell_ms:
        members = leading.log.membership.peers(leading.me)
        leading.peers = {
            peer: progress for peer, progress in leading.peers.items() if peer in members
        }
        leading.farewell_ms = 0
