"""What clients may use of a node, each limit named; CONFIG SET changes some of them."""

from dataclasses import dataclass
from typing import Final

from pnyx.node.settings import LimitsTable
from pnyx.transport.resp import RequestLimits

RUN_COMMANDS_MAX: Final = 1024
"""Commands of one connection that are submitted together."""

RUN_BYTES_MAX: Final = 1024 * 1024
"""Bytes of words submitted together, what a word costs besides included; a single larger command
goes alone."""

COMMAND_WORDS_MAX: Final = 16 * 1024
"""Words of a command that is carried out, which is done in one turn: some 5 us a word. A leader
that is silent for `raft.election_ms_min` loses its place."""

TURN_SECONDS: Final = 0.005
"""After so long one client's commands let others in; a command that has begun is finished."""

PENDING_BYTES_MAX: Final = 1024 * 1024
"""Requests of one connection parsed ahead while one is under way; beyond it we stop reading."""

TRANSACTION_COMMANDS_MAX: Final = 16 * 1024
TRANSACTION_BYTES_MAX: Final = 8 * 1024 * 1024
TRANSACTION_WORDS_MAX: Final = 64 * 1024
"""What MULTI may queue."""

TRANSACTION_LOCAL_MAX: Final = 64
"""Commands among them that the node answers itself: EXEC does so in one turn of the loop."""

DESCRIBED_MAX: Final = 1024
"""Names that one COMMAND INFO or COMMAND DOCS may have; there are about 200 commands."""

GLOBS_BYTES_MAX: Final = 256
"""Patterns of one CONFIG GET together; names without wildcards do not count."""

WATCHED_KEYS_MAX: Final = 4096
"""Keys that one connection may watch."""

WRITE_STALL_SECONDS: Final = 60.0
"""A client that takes nothing of a full output buffer for so long is dropped."""

LINGER_SECONDS: Final = 2.0
"""How long the rest of a request that was refused is taken and dropped before the door is shut."""

SHED_SECONDS: Final = 1.0
"""How often stalled and idle clients are looked for."""

STOP_SECONDS: Final = 5.0
"""How long `stop` waits for requests that are under way."""

CLOSE_SECONDS: Final = 1.0
"""How long it then waits for clients to take their last replies."""


WORDS_MAX: Final = 1024 * 1024
"""Words of one command that are read, to be refused: who sends more is hung up on."""


@dataclass(slots=True)
class Limits:
    """The limits of this node: its settings, and what CONFIG SET has changed since."""

    value_bytes_max: int
    clients_max: int
    query_bytes_max: int
    """Of one connection's unfinished command."""
    output_bytes_max: int
    """Replies that one client has not read: above it the connection is dropped at once."""
    output_bytes_soft_max: int
    output_soft_seconds: float
    held_bytes_max: int
    """Requests and replies of all clients together; above it the largest holder is dropped."""
    login_seconds: float
    """A client that owes a password may be silent for so long."""
    idle_seconds: float
    """Drop clients that are silent for so long; 0 never does (CONFIG timeout)."""

    @staticmethod
    def of(table: LimitsTable) -> "Limits":
        """Return the limits as the settings have them."""
        return Limits(
            value_bytes_max=table.value_bytes_max,
            clients_max=table.clients_max,
            query_bytes_max=table.query_bytes_max,
            output_bytes_max=table.output_bytes_max,
            output_bytes_soft_max=table.output_bytes_soft_max,
            output_soft_seconds=table.output_soft_ms / 1000,
            held_bytes_max=table.held_bytes_max,
            login_seconds=table.login_ms / 1000,
            idle_seconds=table.idle_ms / 1000,
        )

    def requests(self) -> RequestLimits:
        """Return what the parser allows a client that is logged in."""
        return RequestLimits(
            words_max=WORDS_MAX,
            word_bytes_max=self.value_bytes_max,
            buffered_bytes_max=self.query_bytes_max,
            authenticated=True,
        )
