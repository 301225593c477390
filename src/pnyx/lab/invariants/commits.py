"""What is committed: by whom, on how many disks, and that it is the same for everybody."""

from collections.abc import Sequence

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Entry, EntryKind, Role
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import Facts, Member, is_quorum


def look(facts: Facts, member: Member, before: Index) -> None:
    """Judge how the commit index moved; `before` is where the log ended when seen last.

    Raises:
        Violation: it went back, or covers what nobody may count as committed.
    """
    raft, record = member.raft, facts.record
    commit = raft.commit_index
    if not member.commit <= commit <= raft.log.last_index:
        raise catalogue.INDEXES_IN_ORDER.broken(
            f"{member.name} moved its commit index from {member.commit} to {commit}, its log ends "
            f"at {raft.log.last_index}"
        )
    _check_same(facts, member, member.commit, Index(min(commit, record.count)))
    if commit > record.count:
        if raft.log.compacted.index > record.count:
            raise catalogue.INDEXES_IN_ORDER.broken(
                f"{member.name} dropped its log up to {raft.log.compacted.index}; nobody knew yet "
                f"that more than {record.count} is committed, so no durable state stands for it"
            )
        _check_first(facts, member, before)
        _count_marks(facts, member, record.learn(raft))


def _check_same(facts: Facts, member: Member, after: Index, through: Index) -> None:
    log, record = member.raft.log, facts.record
    first = max(after + 1, log.compacted.index, 1)
    for index in range(first, through + 1):
        held, agreed = log.term_at(Index(index)), record.entry(Index(index)).term
        if held != agreed:
            raise catalogue.COMMITTED_STAYS.broken(
                f"{member.name} takes entry {index} of term {held} for committed; the one of term "
                f"{agreed} was committed there"
            )


def _check_first(facts: Facts, member: Member, before: Index) -> None:
    """`member` is the first that knows of a commit: it must have counted right."""
    raft = member.raft
    commit, log = raft.commit_index, raft.log
    term = log.mark_at(commit).term
    leads = _leads(member)
    if leads and term != raft.term and isinstance(raft, RaftState):
        raise catalogue.OWN_TERM_COMMITS.broken(
            f"{member.name} leads in term {raft.term} and commits entry {commit} of term {term} "
            "by counting"
        )
    # What it appended in the same event, after it had counted, did not count yet; but for what
    # came behind that in one parcel.
    memberships = log.memberships_from(before)
    counted = memberships
    if leads and len(memberships) > 1:
        counted = memberships[: 1 + _counts_twice(facts, member, memberships)]
    holders = _holders(facts, member, commit, term, memberships)
    if not any(is_quorum(holders, membership) for membership in counted):
        raise catalogue.DURABLE_MAJORITY.broken(
            f"{member.name} takes entry {commit} of term {term} for committed; it is durable at "
            f"{len(holders)} of {len(_voters(counted))} voters"
        )
    if len(holders) < len(_voters(counted)):
        facts.marks.hit(catalogue.DURABLE_MAJORITY.sometimes)


def _counts_twice(facts: Facts, member: Member, memberships: Sequence[Membership]) -> bool:
    """Had a quorum of the first membership the entry that brought it, which ended in another?"""
    log = member.raft.log
    for index in map(Index, range(member.raft.commit_index, member.commit, -1)):
        holders = _holders(facts, member, index, log.mark_at(index).term, memberships)
        if is_quorum(holders, memberships[0]):
            at, was = (log.memberships_from(each)[0] for each in (index, member.commit))
            return at == memberships[0] != was
    return False


def _leads(member: Member) -> bool:
    """Does it lead, or did it until it had counted? A commit may be what ends its time."""
    raft = member.raft
    return raft.role is Role.LEADER or (member.role is Role.LEADER and member.term == raft.term)


def _holders(
    facts: Facts, member: Member, index: Index, term: Term, memberships: Sequence[Membership]
) -> list[NodeId]:
    told = member.raft.term
    voters = _voters(memberships)
    if isinstance(member.raft, MultiPaxosState):
        # Acceptances of different ballots do not add up.
        return [voter for voter in voters if facts.shadow(voter).accepted_to.get(told, 0) >= index]
    return [voter for voter in voters if facts.shadow(voter).held_in(told, index, term)]


def _voters(memberships: Sequence[Membership]) -> list[NodeId]:
    return sorted({voter for each in memberships for voter in (*each.voters, *each.outgoing)})


def _count_marks(facts: Facts, member: Member, fresh: Sequence[Entry]) -> None:
    raft = member.raft
    if not _leads(member):
        return
    if fresh[0].term < raft.term:
        facts.marks.hit(catalogue.OWN_TERM_COMMITS.sometimes)
    for entry in fresh:
        if entry.kind == EntryKind.MEMBERSHIP:
            _count_membership(facts, member, entry)


def _count_membership(facts: Facts, member: Member, entry: Entry) -> None:
    before = facts.record.membership_at(Index(entry.index - 1))
    after = msgspec.msgpack.decode(entry.payload, type=Membership)
    if after.outgoing:
        facts.marks.hit(catalogue.JOINT_MEMBERSHIP)
    if set(after.voters) & set(before.learners):
        facts.marks.hit(catalogue.LEARNER_PROMOTED)
    if not after.is_voter(member.node):
        facts.marks.hit(catalogue.LEADER_REMOVED)
