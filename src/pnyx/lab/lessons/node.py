"""What a protocol of a lesson is to its host: messages and time in, effects out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from pnyx.prng import Prng


class Parcel(NamedTuple):
    """A message to a place."""

    to: int
    """A host's number, or a client's place."""
    message: Any
    is_answer: bool = False
    """Does it answer what came from there? It passes even to who cannot be called."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Rows to write, all or nothing; parcels that leave when they, and all before, are durable."""

    rows: tuple[tuple[bytes, bytes | None], ...] = ()
    """None removes a row."""
    parcels: tuple[Parcel, ...] = ()


class Node(Protocol):
    """A protocol's part on one host, for one life."""

    @property
    def deadline_ms(self) -> int:
        """When `tick` is due next."""
        ...

    def step(self, sender: int, message: Any, now_ms: int) -> None:
        """A message arrives from a host or a client."""
        ...

    def tick(self, now_ms: int) -> None:
        """Time has passed."""
        ...

    def effects(self) -> Effects | None:
        """Return what to do next, or None; each is confirmed by `persisted`, in order."""
        ...

    def persisted(self, now_ms: int) -> None:
        """The oldest effects that were not confirmed are durable."""
        ...


@dataclass(frozen=True, slots=True)
class Birth:
    """What a node is made of when its host starts."""

    number: int
    hosts: tuple[int, ...]
    """All of them, this one included."""
    rows: Mapping[bytes, bytes]
    """What its disk holds."""
    disk: int
    """0 for the first one; each time it is replaced, one more."""
    life: int
    """How many there were before on this host."""
    now_ms: int
    prng: Prng


Maker: TypeAlias = Callable[[Birth], Node]
