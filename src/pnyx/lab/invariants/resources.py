"""Every queue and every amount of memory stays under its named limit."""

from typing import Final

from pnyx.consensus.member.progress import Progress
from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import Member

SLACK_BYTES: Final = 64 * 1024
"""What is not counted against a limit: memberships, and the entry that finishes a change."""


def look(member: Member) -> None:
    """Judge what `member` holds.

    Raises:
        Violation: more than a named limit allows.
    """
    raft, limits = member.raft, member.replica.limits
    settings = raft.settings
    uncommitted_max = settings.uncommitted_bytes_max + SLACK_BYTES
    # A member that is caught up holds, on top of what compaction allows, what came since the last
    # flush, what is not committed, and what is on its way.
    log_max = (
        max(limits.compact_log_bytes, limits.catchup_log_bytes)
        + limits.flush_log_bytes
        + limits.tail_log_bytes
        + settings.inflight_bytes_max
        + uncommitted_max
    )
    parking = member.replica._parking  # noqa: SLF001 - the Lab looks, and never touches
    _check(member, "uncommitted_bytes", raft.uncommitted_bytes, uncommitted_max)
    _check(member, "reads waiting", raft.reads.waiting, settings.reads_max)
    _check(member, "log bytes", raft.log.bytes, log_max)
    _check(member, "parked bytes", parking.bytes_held, limits.parked_bytes)


def look_peer(member: Member, progress: Progress) -> None:
    """Judge what is in flight to one peer.

    Raises:
        Violation: more than its window.
    """
    settings = member.raft.settings
    messages, held = len(progress.inflight), progress.inflight_bytes
    if messages <= settings.inflight_max and 0 <= held <= settings.inflight_bytes_max:
        return
    largest = max(settings.append_bytes_max, settings.entry_bytes_max)
    _check(member, "messages in flight", messages, settings.inflight_max)
    in_flight_max = settings.inflight_bytes_max + largest
    _check(member, "bytes in flight", held, in_flight_max)


def _check(member: Member, what: str, held: int, most: int) -> None:
    if not 0 <= held <= most:
        raise catalogue.RESOURCES_BOUNDED.broken(
            f"{member.name} counts {held} {what}; at most {most} are allowed"
        )
