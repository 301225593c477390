"""What a model is: states that never change, and steps from one to the next."""

import itertools
from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from enum import Enum
from typing import Final, Protocol, TypeAlias

from pnyx.lab.history import Operation
from pnyx.lab.values import Value

State: TypeAlias = Hashable


class Mark(Enum):
    """What a plan says in place of a state."""

    ILLEGAL = "illegal"
    """The operation cannot come next."""
    UNOBSERVED = "unobserved"
    """Any state that nothing which remains could tell from another such state."""


ILLEGAL: Final = Mark.ILLEGAL
UNOBSERVED: Final = Mark.UNOBSERVED


class NotOfModel(Exception):
    """An operation or initial value that the model does not know; says what it expects."""


class Plan(Protocol):
    """One key's operations, numbered 0.. in the order given; `done` is a set of them as bits."""

    initial: State

    def take(self, state: State, done: int, number: int) -> State:
        """Return the state after operation `number`, or ILLEGAL if it cannot come next.

        `done` includes `number`. ILLEGAL means that its reply is not what the state says, or that
        no order of the remaining operations explains their replies from there.
        """

    def is_settled(self, state: State, done: int, number: int) -> bool:
        """Whether nothing is lost by taking `number` now, if `take` lets it come next.

        True of an operation that changes no state in which it is legal (a read), and of a write
        that nobody who remains could see. Not of a write that happens to change nothing *now*:
        later it might be needed to write the same value once more.
        """

    def is_idle(self, state: State, done: int, number: int) -> bool:
        """Whether taking `number`, whose outcome is unknown, cannot help from here."""


class Model(Protocol):
    """A sequential object with operations of a history as its steps."""

    @property
    def name(self) -> str: ...

    @property
    def functions(self) -> tuple[str, ...]: ...

    def start(self, initial: Value, key: Value) -> State:
        """Return the state of `key` before the first operation; raises `NotOfModel`."""

    def check(self, operation: Operation) -> None:
        """Raise `NotOfModel` if the operation's arguments or reply have no meaning here."""

    def matters(self, operation: Operation) -> bool:
        """Whether its place in the order can matter: not if it failed, not if a read was lost."""

    def step(self, state: State, operation: Operation) -> tuple[bool, State]:
        """Return whether the reply is legal in `state`, and the state after.

        One of unknown outcome is legal and takes effect; one that failed has none.
        """

    def plan(self, operations: Sequence[Operation], start: State) -> Plan:
        """Return the model ready to be searched; all `operations` matter."""

    def is_removable(self, operation: Operation, kept: Sequence[Operation]) -> bool:
        """Whether the others stay explainable without `operation` if they were with it.

        Never wrong when True: a sub-history without such operations convicts the whole.
        """


def precedence(reigns: Mapping[int, Sequence[Operation]]) -> dict[int, int]:
    """Return for each write the writes, as bits, that must come before it; for equal keys only.

    `reigns` gives for a write all operations that surely take place while what it wrote is there,
    itself among them. Two reigns cannot overlap, so one with an operation that returned before an
    operation of the other was called is over before the other begins (Gibbons & Korach 1997).
    """
    firsts = sorted(
        (min(one.returned for one in reign if one.returned is not None), number)
        for number, reign in reigns.items()
        if any(one.returned is not None for one in reign)
    )
    ends = [end for end, _ in firsts]
    over = [0, *itertools.accumulate((1 << number for _, number in firsts), int.__or__)]
    return {
        number: over[bisect_left(ends, max(one.called for one in reign))] & ~(1 << number)
        for number, reign in reigns.items()
    }


def bits(numbers: Sequence[int]) -> int:
    """Return a set of numbers as an integer."""
    whole = 0
    for number in numbers:
        whole |= 1 << number
    return whole
