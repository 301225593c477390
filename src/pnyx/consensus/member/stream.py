"""The leader's entries on their way to each peer, as far as its window allows.

An engine says what a message looks like. When one goes, how much it carries and when a snapshot
must take its place is the same in both.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from pnyx.consensus.member import leading
from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.ready import Entry, Mark
from pnyx.ids import Index, NodeId

S = TypeVar("S", bound=MemberState)

Written: TypeAlias = Callable[[S, Mark, tuple[Entry, ...]], Any]
"""Returns the message that brings the entries which follow a position."""


def send_due(member: S, written: Written[S]) -> None:
    """Send every peer the entries that are due to it, or what is committed if none will say so."""
    made: dict[Index, Any] = {}
    last_index = member.log.last_index
    is_due = member.now_ms >= member.notice_due_ms
    member.has_notice = False
    thrift, holds = member.thrift, False
    thrift.look(member.now_ms, is_waiting=member.commit_index < last_index)
    for peer, progress in member.peers.items():
        if progress.next <= last_index or progress.poke or progress.flow is Flow.PROBE:
            if _may_wait(member, peer, progress):
                # It hears with these entries what is committed, too.
                holds = True
                continue
            send_entries(member, peer, progress, made, written)
        if progress.flow is Flow.REPLICATE and progress.told_commit < member.commit_index:
            if is_due:
                leading.tell_commit(member, peer, progress)
            else:
                member.has_notice = True
    thrift.is_owed = holds


def _may_wait(member: MemberState, peer: NodeId, progress: Progress) -> bool:
    thrift = member.thrift
    if not thrift.spares(peer) or progress.flow is not Flow.REPLICATE or progress.poke:
        return False
    return thrift.holds(member.log, Index(progress.next - 1), member.now_ms, member.settings)


def send_entries(
    member: S, peer: NodeId, progress: Progress, made: dict[Index, Any], written: Written[S]
) -> None:
    """Send a peer what is due to it; `made` holds what others were sent now, by first index."""
    if progress.paused or progress.flow is Flow.SNAPSHOT:
        return
    if progress.next <= member.log.compacted.index:
        progress.flow = Flow.SNAPSHOT
        member.snapshots.append(peer)
        return
    settings = member.settings
    if progress.flow is Flow.PROBE:
        member.post(peer, message_from(member, progress.next, made, written))
        progress.paused = True
        progress.probe_round = member.reads.round
        return
    while progress.next <= member.log.last_index and progress.has_room(
        settings.inflight_max, settings.inflight_bytes_max
    ):
        message = message_from(member, progress.next, made, written)
        member.post(peer, message)
        last_index = message.entries[-1].index
        size = 0
        for entry in message.entries:
            size += len(entry.payload)
        progress.sent(last_index, size, member.reads.round)
        progress.told_commit = max(progress.told_commit, min(member.commit_index, last_index))
        progress.poke = False
    if progress.poke:
        # Empty, so it fits through a full window: if what was in flight is lost, the peer says so.
        progress.poke = False
        member.post(peer, written(member, member.log.mark_at(Index(progress.next - 1)), ()))


def message_from(member: S, first: Index, made: dict[Index, Any], written: Written[S]) -> Any:
    """Return a message of the entries from `first` on."""
    # Peers at the same place get the same object: the node encodes it once.
    message = made.get(first)
    if message is None:
        log, settings = member.log, member.settings
        previous = log.mark_at(Index(first - 1))
        entries = log.page(
            previous.index, log.last_index, settings.append_entries_max, settings.append_bytes_max
        )
        message = made[first] = written(member, previous, entries)
    return message
