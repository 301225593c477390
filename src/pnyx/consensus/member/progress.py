"""What a leader knows of one peer's log, and how much it may send there before an answer.

    PROBE      where our logs agree is not known: one append message at a time
    REPLICATE  it is known: appends are pipelined, up to the window
    SNAPSHOT   the entries the peer needs are compacted: nothing is sent until a snapshot arrived

Nothing here waits for ever: an answered heartbeat of a later round than a message proves that the
message had its chance, so a silent probe is repeated and a silent window is poked.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from pnyx.ids import Index


class Flow(IntEnum):
    """How entries go to a peer."""

    PROBE = 0
    REPLICATE = 1
    SNAPSHOT = 2


class Sent(NamedTuple):
    """An append message that has not been answered."""

    last_index: Index
    size: int
    """Payload bytes."""
    round: int
    """The newest heartbeat round when it was sent."""


@dataclass(slots=True)
class Progress:
    """One peer, as its leader sees it in this term."""

    next: Index
    """The next entry to send."""
    active_ms: int
    """When something of this term was last heard from it."""
    match: Index = Index(0)
    """The last entry known to be durable there and the same as ours; never falls in a term."""
    flow: Flow = Flow.PROBE
    paused: bool = False
    """A probe is out, or the peer is silent: wait for a sign of life."""
    probe_round: int = 0
    """The newest heartbeat round when it was paused."""
    poke: bool = False
    """Something in flight had its chance and was not answered: ask whether it arrived."""
    inflight: deque[Sent] = field(default_factory=deque)
    inflight_bytes: int = 0
    told_commit: Index = Index(0)
    """What the peer was last told to be committed, as far as nothing was lost."""
    acked_round: int = 0
    """The newest heartbeat round it answered."""

    def probe(self, next_index: Index, *, paused: bool, heartbeat_round: int) -> None:
        """Find out again where the logs agree, from `next_index` downwards."""
        self.flow = Flow.PROBE
        self.next = max(next_index, Index(self.match + 1))
        self.paused = paused
        self.probe_round = heartbeat_round
        self.poke = False
        self.told_commit = Index(0)
        self.inflight.clear()
        self.inflight_bytes = 0

    def refused(self, next_index: Index, heartbeat_round: int) -> None:
        """The peer has less than was supposed: try from `next_index`."""
        # One that lost what it had said was durable would refuse, and be asked again, for ever.
        is_lost = next_index <= self.match
        self.probe(next_index, paused=is_lost, heartbeat_round=heartbeat_round)

    def replicate(self) -> None:
        """The logs agree up to `match`: pipeline from there."""
        self.flow = Flow.REPLICATE
        self.paused = False
        self.next = Index(self.match + 1)
        self.inflight.clear()
        self.inflight_bytes = 0

    def sent(self, last_index: Index, size: int, heartbeat_round: int) -> None:
        """An append message left, pipelined."""
        self.next = Index(last_index + 1)
        self.inflight.append(Sent(last_index, size, heartbeat_round))
        self.inflight_bytes += size

    def has_room(self, messages_max: int, bytes_max: int) -> bool:
        """May another append message go?"""
        return not self.inflight or (
            len(self.inflight) < messages_max and self.inflight_bytes < bytes_max
        )

    def acknowledge(self, index: Index) -> bool:
        """`index` is durable there. Return whether that is news."""
        while self.inflight and self.inflight[0].last_index <= index:
            self.inflight_bytes -= self.inflight.popleft().size
        if index <= self.match:
            return False
        self.match = index
        self.next = max(self.next, Index(index + 1))
        return True

    def has_answered(self, previous_index: Index) -> bool:
        """Is an answer old that speaks of the message which followed `previous_index`?"""
        if self.flow is Flow.PROBE:
            return previous_index != self.next - 1
        return previous_index <= self.match

    def answered(self, heartbeat_round: int) -> None:
        """A heartbeat of that round was answered: what was sent before it had its chance."""
        self.acked_round = max(self.acked_round, heartbeat_round)
        if self.paused and self.probe_round < heartbeat_round:
            self.paused = False
        if self.inflight and self.inflight[0].round < heartbeat_round:
            self.poke = True
