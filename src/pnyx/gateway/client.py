"""What a node remembers of one connected client: state only, no socket."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import msgspec

from pnyx.machine.commands import AnyCommand
from pnyx.machine.results import Refusal


class Mute(Enum):
    """Which replies a client wants (CLIENT REPLY)."""

    SPEAKING = "on"
    SKIPPING_NEXT = "skip next"
    SKIPPING = "skip"
    SILENT = "off"


@dataclass(slots=True)
class Queued:
    """A command between MULTI and EXEC."""

    words: list[bytes]
    command: AnyCommand | Refusal | None
    """None: answered by this node itself when EXEC comes."""


@dataclass(slots=True)
class Transaction:
    """An open MULTI."""

    queued: list[Queued] = field(default_factory=list)
    bytes: int = 0
    words: int = 0
    local: int = 0
    """Queued commands that this node answers without the store."""
    is_broken: bool = False
    """A command was refused while queueing: EXEC will discard everything."""


class Prefix(msgspec.Struct, frozen=True, gc=False):
    """What PNYX.SEQ said of the next command (machine/sessions.py)."""

    session: bytes
    sequence: int
    ack: int
    deadline_ms: int


class Stale(Enum):
    """What PNYX.STALE said of the next command."""

    OK = "ok"
    """It reads, and may be answered from what is applied here, however old that is."""


STALE: Final = Stale.OK


@dataclass(slots=True)
class Client:
    """One connection's state, as HELLO, AUTH, CLIENT and MULTI change it."""

    id: int
    address: str
    local_address: str
    speaks_cluster: bool
    """Came in through the cluster port."""
    connected_ms: int
    close: Callable[[], None]
    """Drop the connection at once."""
    held_bytes: Callable[[], tuple[int, int]]
    """Bytes of requests and of replies that wait in this node for this client."""
    protocol: int = 2
    is_authenticated: bool = False
    user: bytes = b"default"
    """Whose sessions are this client's."""
    name: bytes = b""
    library_name: bytes = b""
    library_version: bytes = b""
    reads_here: bool = False
    """READONLY: a follower may answer this client's reads (cluster port)."""
    transaction: Transaction | None = None
    watched: dict[bytes, int] = field(default_factory=dict)
    prefix: Prefix | Stale | Refusal | None = None
    """Of the next command; a refusal is that command's reply."""
    mute: Mute = Mute.SPEAKING
    is_closing: bool = False
    """Answer what was asked up to here, then hang up (QUIT)."""
    wants_notices: bool = False
    """CLIENT MAINT_NOTIFICATIONS ON: tell it of shards that move (notices.py)."""
    no_evict: bool = False
    no_touch: bool = False
    last_words: list[bytes] = field(default_factory=list)
    last_ms: int = 0

    def reset(self) -> None:
        """Forget everything that RESET forgets."""
        self.protocol = 2
        self.name = b""
        self.reads_here = False
        self.transaction = None
        self.watched.clear()
        self.prefix = None
        self.mute = Mute.SPEAKING
        self.wants_notices = False
        self.no_evict = False
        self.no_touch = False
