"""What members have applied equals the replay of the agreed log."""

from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import Facts, Member
from pnyx.lab.invariants.invariant import Invariant
from pnyx.lab.invariants.reference import sum_of, totals_of


def look(facts: Facts, member: Member) -> None:
    """Judge what was applied since the state was seen last; `commits.look` comes before.

    Raises:
        Violation: the state went back, is ahead, or is not that of the agreed log.
    """
    group, raft = member.group, member.raft
    applied = group.applied
    if not member.applied <= applied.index <= raft.commit_index:
        raise catalogue.INDEXES_IN_ORDER.broken(
            f"the state of {member.name} went from entry {member.applied} to {applied.index}, "
            f"committed is {raft.commit_index}"
        )
    if applied.index < raft.commit_index:
        facts.marks.hit(catalogue.INDEXES_IN_ORDER.sometimes)
        if raft.writes.durable_index < raft.commit_index:
            facts.marks.hit(catalogue.DURABLE_BEFORE_APPLIED.sometimes)
    if applied.index == member.applied:
        return
    if applied.index > max(member.shadow.last_index, group.installed.index):
        raise catalogue.DURABLE_BEFORE_APPLIED.broken(
            f"{member.name} applied entry {applied.index}; its disk holds entries up to "
            f"{member.shadow.last_index}"
        )
    installs = group.installed.index > member.installed
    rule = catalogue.SNAPSHOT_EQUALS_REPLAY if installs else catalogue.STATE_MACHINE_SAFETY
    if applied.term != facts.record.entry(applied.index).term:
        raise rule.broken(
            f"{member.name} applied entry {applied.index} of term {applied.term}, the agreed one "
            f"is of term {facts.record.entry(applied.index).term}"
        )
    if totals_of(group) != facts.record.replayed(applied.index).totals_at(applied.index):
        raise rule.broken(
            f"{member.name} counts other keys, revisions or time after entry {applied.index} than "
            "a replay of the agreed log"
        )
    if installs:
        facts.marks.hit(catalogue.SNAPSHOT_EQUALS_REPLAY.sometimes)
        compare(facts, member, rule)


def compare(facts: Facts, member: Member, rule: Invariant) -> None:
    """Compare all rows with the replay.

    Raises:
        Violation: of `rule`; they differ, or the membership does.
    """
    group, record = member.group, facts.record
    index = group.applied.index
    if sum_of(group) != record.replayed(index).sum_at(index):
        raise rule.broken(
            f"{member.name} holds other rows after entry {index} than a replay of the agreed log"
        )
    if group.membership != record.membership_at(index):
        raise rule.broken(
            f"the state of {member.name} names other members after entry {index} than the agreed "
            "log"
        )
