"""What a replica is told of time and what it asks of the world: data only."""

from typing import Any, Final, TypeAlias

import msgspec

from pnyx.consensus.ready import Envelope, Write
from pnyx.replica.requests import Answer

NEVER: Final = 1 << 62
"""A deadline in ms that does not come."""


class Now(msgspec.Struct, frozen=True, gc=False):
    """One reading of both clocks of a node."""

    mono_ms: int
    """Never goes back; its zero means nothing."""
    wall_ms: int
    """Since 1970, as the operator set it; may jump."""


Outbound: TypeAlias = Envelope
"""A message of this group and where it goes: of consensus, or of replicas among themselves."""


class Effects(msgspec.Struct):
    """One turn's work. The order that safety needs is the one of consensus/ready.py."""

    write: Write | None = None
    send: list[Outbound] = []
    send_when_durable: list[tuple[int, Outbound]] = []
    """(write_id, message): leaves when that write is durable."""
    answers: list[tuple[Any, Answer]] = []
    """(ticket, answer) of finished requests."""
    flush: int | None = None
    """Flush the space in a worker thread, then call `flushed` with this number."""

    applied: int = 0
    """Entries applied while this was made: let others have a turn now and then."""
    more: bool = False
    """Ask again at once: there may be more to do."""
    gives_way: bool = False
    """Nobody waits for what is left: whoever else wants the processor may have it first."""

    def __bool__(self) -> bool:
        """Is there anything to do?"""
        return bool(
            self.send
            or self.send_when_durable
            or self.answers
            or self.write
            or self.flush is not None
        )
