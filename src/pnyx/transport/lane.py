"""The two lanes between a pair of nodes, and which message belongs on which.

Each lane is a TCP connection of its own, ordered in itself; nothing is promised between them.

RAFT   what an election waits for: heartbeats and their replies, votes, replies to appends, reads'
       rounds, formation. All small: none of them ever waits for more than its own kind.
BULK   what can be large: everything with a previous index (appends, empty ones too, for they must
       stay in order with each other), forwards and their replies, snapshot chunks.

An append of 1 MiB takes 80 ms on a link of 100 Mbit/s and 8 s on one of 1 Mbit/s. On one
connection every heartbeat behind it would be that late and the follower would call an election;
splitting it would only make the wait shorter. On two connections the kernels share the bandwidth
between them, so a heartbeat overtakes, which is always safe: it names no entry a follower has not
verified. The caller picks the lane; the rule above is for it to keep.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class Lane(IntEnum):
    """One of the two connections to a peer."""

    RAFT = 0
    BULK = 1


LANES: Final = (Lane.RAFT, Lane.BULK)

BUFFERED_BYTES_MAX: Final[Mapping[Lane, int]] = {
    Lane.RAFT: 4 * 1024 * 1024,
    Lane.BULK: 32 * 1024 * 1024,
}
"""Bytes that may wait for a slow peer's socket. Above it a message is dropped, counted and
reported to the sender: consensus sends again, a forward is answered "not done". BULK has room for
the appends in flight to one peer (8 MiB), forwards, and a chunk."""
