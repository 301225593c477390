"""What peers tell each other; each message travels in a `Letter`.

Requests are `Prepare`, `Accept`, `Decided`, `Told` and `Refill`; the others answer one and need no
answer. An agreement of three peers takes two `Prepare`, two `Promised`, two `Accept` and two
`Taken`: who accepts what another has accepted knows that two have, and of three that is a majority.
"""

from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from pnyx.consensus.instances.record import Record
from pnyx.consensus.paxos import Ballot, Proposal, Value
from pnyx.ids import NodeId


class Prepare(Struct, frozen=True, tag=True):
    """Phase 1a, in one instance."""

    seq: int
    ballot: Ballot


class Promised(Struct, frozen=True, tag=True):
    """Phase 1b."""

    seq: int
    ballot: Ballot
    accepted: Proposal | None


class Accept(Struct, frozen=True, tag=True):
    """Phase 2a; the sender has accepted it itself, durably."""

    seq: int
    proposal: Proposal


class Taken(Struct, frozen=True, tag=True):
    """Phase 2b, to the proposer: accepted."""

    seq: int
    ballot: Ballot


class Refused(Struct, frozen=True, tag=True):
    """A higher ballot is promised: a proposer has to begin above it."""

    seq: int
    promised: Ballot


class Decided(Struct, frozen=True, tag=True):
    """This value is chosen. Sent until it is `Noted`."""

    seq: int
    value: Value


class Learned(Struct, frozen=True, tag=True):
    """Answers whoever still asks: this value is chosen."""

    seq: int
    value: Value


class Noted(Struct, frozen=True, tag=True):
    """The sender knows what is decided there, or has forgotten it with everybody's consent."""

    seq: int


class Told(Struct, frozen=True, tag=True):
    """Nothing but what every letter says: who is done with what."""


class Refill(Struct, frozen=True, tag=True):
    """The sender has lost its disk: tell it everything, and heed its former self no more."""


class Refilled(Struct, frozen=True, tag=True):
    """All that the sender holds."""

    records: tuple[tuple[int, Record], ...]


Message: TypeAlias = (
    Prepare
    | Promised
    | Accept
    | Taken
    | Refused
    | Decided
    | Learned
    | Noted
    | Told
    | Refill
    | Refilled
)

ANSWERS: Final = frozenset({Promised, Taken, Refused, Learned, Noted, Refilled})
"""What answers a request: it comes back even to who cannot be called."""


class Known(NamedTuple):
    """What a peer knows of one."""

    node: NodeId
    birth: int
    """The newest disk of that peer that anybody has heard of."""
    done: int
    """The highest instance that it needs no more, nor any below; -1 is none."""


class Letter(Struct, frozen=True, tag=True):
    """A message and what rides on it."""

    birth: int
    """Of the sender."""
    known: tuple[Known, ...]
    message: Message
