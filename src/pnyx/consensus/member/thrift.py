"""Whom entries may reach later: peers whose answers a quorum does not need.

A leader asks first who made a quorum before, and owes the others what it holds back for a while:
they get more in one message and take part in nothing that a client waits for (Moraru et al., "There
Is More Consensus in Egalitarian Parliaments", 2013: "thrifty"). If the next quorum is not made
soon, the others are asked too (Dean and Barroso, "The Tail at Scale", 2013: "hedged requests"). Now
and then all are asked at once, so that a peer which has become the quicker one is found.

When an append leaves depends on this; what is counted never does.
"""

from dataclasses import dataclass
from typing import Final

from pnyx.consensus.member.log import Log
from pnyx.consensus.member.settings import MemberSettings
from pnyx.ids import Index, NodeId

NOBODY: Final[frozenset[NodeId]] = frozenset()
ASK_ALL_BEATS: Final = 20
"""Heartbeats after which all are asked at once."""


@dataclass(slots=True)
class Thrift:
    """What a leader remembers of its quorums, and since when it owes others entries."""

    needed: frozenset[NodeId] = NOBODY
    """The peers that made a quorum when all were asked, or when one was late; nobody: all are
    asked."""
    readers: frozenset[NodeId] = NOBODY
    """Peers where somebody read lately: what they lack a client waits for."""
    is_owed: bool = False
    """Is anything held back?"""
    owed_ms: int = 0
    """Since when."""
    is_waiting: bool = False
    """Is the next quorum missing?"""
    waits_ms: int = 0
    """Since when."""
    ask_all_ms: int = 0
    """From then on a quorum is not remembered, once."""

    def made(self, quorum: frozenset[NodeId], now_ms: int, settings: MemberSettings) -> None:
        """These peers and the leader, or they alone, have made a quorum."""
        is_late = now_ms - self.waits_ms >= settings.hedge_ms
        self.waits_ms = now_ms
        if now_ms >= self.ask_all_ms:
            self.ask_all_ms = now_ms + ASK_ALL_BEATS * settings.heartbeat_ms
            self.readers = self.needed = NOBODY
        elif is_late or not self.needed or quorum < self.needed:
            # Not who was the first for once: it slept until then, and who is asked all the time is
            # awake.
            self.needed = quorum

    def read_at(self, peer: NodeId) -> None:
        """Somebody reads at that peer."""
        self.readers |= {peer}

    def look(self, now_ms: int, *, is_waiting: bool) -> None:
        """Notice that something is to be agreed on, or nothing any more."""
        if is_waiting and not self.is_waiting:
            self.waits_ms = now_ms
        self.is_waiting = is_waiting

    def lost(self, peer: NodeId) -> None:
        """That peer will not answer soon: if it is needed, all are asked."""
        if peer in self.needed:
            self.needed = NOBODY

    def spares(self, peer: NodeId) -> bool:
        """Can the next quorum be made without that peer, as one was before, and all reads?"""
        return bool(self.needed) and peer not in self.needed and peer not in self.readers

    def holds(self, log: Log, sent: Index, now_ms: int, settings: MemberSettings) -> bool:
        """May a peer that is spared wait on for what follows `sent`? Then that is owed."""
        last = log.last_index
        # The count first: to add up what a peer lacks that is far behind takes long.
        if last - sent > settings.thrift_count:
            return False
        if log.bytes_between(sent, last) >= settings.thrift_bytes:
            return False
        if not self.is_owed:
            self.is_owed, self.owed_ms = True, now_ms
        return now_ms < self.due_ms(settings)

    def due_ms(self, settings: MemberSettings) -> int:
        """Return when what is held back must leave."""
        due_ms = self.owed_ms + settings.thrift_ms
        if self.is_waiting:
            return min(due_ms, max(self.owed_ms, self.waits_ms) + settings.hedge_ms)
        return due_ms
