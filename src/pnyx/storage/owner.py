"""Who a data directory belongs to, as data: identity.py keeps it on disk, the log checks it."""

from typing import Final

import msgspec

from pnyx.ids import NodeId

FORMAT: Final = 2
"""1 had one group, numbered 1, and no controller."""


class Identity(msgspec.Struct, frozen=True):
    """Who a data directory belongs to."""

    cluster: str
    label: str
    node: NodeId
    consensus: str = "raft"
    """The engine that wrote the log; one that reads it otherwise would break its promises."""
    started: bool = False
    """Was the write-ahead log ever opened? Then it must be there."""
    format: int = FORMAT
