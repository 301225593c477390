"""What may happen to a log: followers are cut, leaders only append, equal places are equal logs."""

from typing import Final

import msgspec

from pnyx.consensus.member.log import Log
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind, Role
from pnyx.ids import Index, Term
from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import Facts, Member

_decode_membership: Final = msgspec.msgpack.Decoder(Membership).decode


def look(facts: Facts, member: Member) -> None:
    """Judge how the log changed since it was seen last, and remember it as it is now.

    Raises:
        Violation: a leader cut its log, a committed entry went, or two logs do not match.
    """
    log = member.raft.log
    first = _first_cut(member, log)
    if first is not None:
        _check_cut(facts, member, first)
    if log.compacted.index > member.start:
        if member.start:
            facts.marks.hit(catalogue.LOG_COMPACTED)
        _forget(member, log)
    if log.last_index > member.last_seen:
        _check_new(facts, member, log)


def scan(facts: Facts, member: Member) -> None:
    """Compare every entry held with what was ever seen at its place.

    Raises:
        Violation: one of them is another.
    """
    log = member.raft.log
    previous = log.compacted.term
    for entry in _page(log, log.compacted.index):
        _check_entry(facts, member, entry, previous)
        previous = entry.term
    if member.terms != [entry.term for entry in _page(log, member.start)]:
        raise catalogue.LOG_MATCHING.broken(
            f"the log of {member.name} changed below an end that stayed the same"
        )


def _first_cut(member: Member, log: Log) -> Index | None:
    """Forget what the log holds no more; return the first index that was cut, if one was."""
    first = None
    terms = member.terms
    while terms:
        index = member.last_seen
        if index < log.compacted.index:
            break
        if index <= log.last_index and log.term_at(index) == terms[-1]:
            break
        terms.pop()
        first = index
    return first


def _check_cut(facts: Facts, member: Member, first: Index) -> None:
    raft = member.raft
    if raft.role is Role.LEADER and member.role is Role.LEADER and raft.term == member.term:
        raise catalogue.LEADER_APPEND_ONLY.broken(
            f"{member.name} dropped entries from {first} on while it led in term {raft.term}"
        )
    if first <= member.commit:
        raise catalogue.COMMITTED_STAYS.broken(
            f"{member.name} dropped entries from {first} on, and knew that all up to "
            f"{member.commit} are committed"
        )
    facts.marks.hit(catalogue.LOG_MATCHING.sometimes)
    if member.shadow.last_index >= first:
        facts.marks.hit(catalogue.LOG_CONFLICT_TRUNCATED)
    while member.places and member.places[-1][0] >= first:
        member.places.pop()
        facts.marks.hit(catalogue.MEMBERSHIP_FOLLOWS_LOG.sometimes)


def _forget(member: Member, log: Log) -> None:
    del member.terms[: log.compacted.index - member.start]
    member.start = log.compacted.index
    member.places = [held for held in member.places if held[0] > member.start]


def _check_new(facts: Facts, member: Member, log: Log) -> None:
    previous = log.mark_at(member.last_seen).term
    for entry in _page(log, member.last_seen):
        _check_entry(facts, member, entry, previous)
        previous = entry.term
        member.terms.append(entry.term)
        if entry.kind == EntryKind.MEMBERSHIP:
            member.places.append((entry.index, _decode_membership(entry.payload)))


def _check_entry(facts: Facts, member: Member, entry: Entry, previous: Term) -> None:
    known = facts.known.get((entry.index, entry.term))
    if known is None:
        facts.known[entry.index, entry.term] = (entry, previous)
        return
    if known[0] is not entry and known[0] != entry:
        raise catalogue.LOG_MATCHING.broken(
            f"{member.name} holds at {entry.index} another entry of term {entry.term} than was "
            "seen there before"
        )
    if known[1] != previous:
        raise catalogue.LOG_MATCHING.broken(
            f"{member.name} holds entry {entry.index} of term {entry.term} behind one of term "
            f"{previous}, elsewhere it follows one of term {known[1]}"
        )


def _page(log: Log, after: Index) -> tuple[Entry, ...]:
    return log.page(after, log.last_index, log.last_index - after, log.bytes + 1)
