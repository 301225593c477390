"""The membership is a function of the log: of the newest entry that names one, committed or not."""

from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import Facts, Member


def look(facts: Facts, member: Member) -> None:
    """Judge whom `member` counts; `logs.look` comes before.

    Raises:
        Violation: its log says something else.
    """
    log = member.raft.log
    if member.places:
        where, expected = member.places[-1]
    else:
        where, expected = member.start, facts.record.membership_at(member.start)
    if log.membership != expected:
        raise catalogue.MEMBERSHIP_FOLLOWS_LOG.broken(
            f"{member.name} counts {_names(log.membership.voters, log.membership.outgoing)}; its "
            f"log says {_names(expected.voters, expected.outgoing)} at entry {where}"
        )


def _names(voters: tuple[int, ...], outgoing: tuple[int, ...]) -> str:
    names = ", ".join(f"{voter:x}" for voter in voters)
    return f"[{names}]" + (f" and [{', '.join(f'{node:x}' for node in outgoing)}]" * bool(outgoing))
