"""What clients asked and what they were told, in the order in which it happened.

A history is recorded by whoever runs the clients, in the world or on real processes, or read from
a file (pnyx/lab/formats). Real time is the order of events: an operation precedes another if its
return was recorded before the other's call (Herlihy & Wing 1990).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

from pnyx.lab.values import Value, shown, thawed

Outcome: TypeAlias = Literal["ok", "fail", "info"]
"""ok: answered; fail: surely without effect; info: unknown, it may take effect at any later
time."""
Process: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class Operation:
    """One request of one client and what became of it."""

    number: int
    """In order of calls, from 0."""
    process: Process
    function: str
    key: Value
    arguments: tuple[Value, ...]
    called: int
    """Position of the call among all events."""
    returned: int | None = None
    """Position of the return; None if there was none, or if the outcome is unknown."""
    outcome: Outcome = "info"
    value: Value = None
    """What the client was told."""
    called_us: int | None = None
    returned_us: int | None = None
    name: str = ""
    """Its name in the file that it comes from; else its number."""
    line: int = 0
    """Of the call, from 1; 0 if the history was recorded, not read."""

    def described(self) -> str:
        """Return who asked what, as in `put #12 of client 3`."""
        return f"{self.function} #{self.name or self.number} of client {self.process}"

    def call(self) -> str:
        """Return what was asked, as in `put(k, "x")`."""
        words = [shown(part) for part in self.arguments]
        if self.key is not None:
            words.insert(0, self.key if isinstance(self.key, str) else shown(self.key))
        return f"{self.function}({', '.join(words)})"

    def reply(self) -> str:
        """Return what came back, as a person reads it."""
        match self.outcome:
            case "ok":
                return shown(self.value) if self.value is not None or self.is_read else "ok"
            case "fail":
                return "fail"
            case "info":
                return "unknown"

    @property
    def is_read(self) -> bool:
        """Whether the function asks for a value and changes nothing."""
        return self.function in {"read", "get"}


@dataclass(slots=True)
class _Call:
    process: Process
    function: str
    key: Value
    arguments: tuple[Value, ...]
    position: int
    time_us: int | None
    name: str
    line: int


@dataclass(slots=True)
class _Return:
    position: int
    outcome: Outcome
    value: Value
    time_us: int | None


@dataclass(slots=True)
class History:
    """Calls and returns as they happen; the order of the calls of these methods is real time."""

    model: str
    """The name of a model of pnyx/lab/models/model.py."""
    initial: Value = None
    """What keys hold at first: one value for all of them, or pairs (key, value)."""
    _calls: list[_Call] = field(default_factory=list)
    _returns: dict[int, _Return] = field(default_factory=dict)
    _open: dict[Process, int] = field(default_factory=dict)
    _events: int = 0

    def call(
        self,
        process: Process,
        function: str,
        key: Value,
        arguments: Sequence[Value] = (),
        *,
        time_us: int | None = None,
        name: str = "",
        line: int = 0,
    ) -> int:
        """Record that `process` asks, and return the operation's number.

        A process has one open operation: a client that pipelines is several processes. One whose
        outcome is unknown may ask again once `returned` was told so.
        """
        assert process not in self._open, "a process waits for its reply before it asks again"
        number = len(self._calls)
        self._calls.append(
            _Call(process, function, key, tuple(arguments), self._events, time_us, name, line)
        )
        self._open[process] = number
        self._events += 1
        return number

    def returned(
        self, number: int, outcome: Outcome, value: Value = None, *, time_us: int | None = None
    ) -> None:
        """Record what the client was told; an operation that gets no return stays unknown."""
        call = self._calls[number]
        assert self._open.get(call.process) == number, "an operation returns once"
        del self._open[call.process]
        self._returns[number] = _Return(self._events, outcome, value, time_us)
        self._events += 1

    def open_of(self, process: Process) -> int | None:
        """Return the operation that `process` waits for, if any."""
        return self._open.get(process)

    @property
    def event_count(self) -> int:
        """How many calls and returns there are; positions are below it."""
        return self._events

    def operation(self, number: int) -> Operation:
        """Return one operation as it stands now."""
        return self._operation(number, self._calls[number], self._returns.get(number))

    def operations(self) -> list[Operation]:
        """Return every operation in order of calls."""
        return [self.operation(number) for number in range(len(self._calls))]

    def lines(self) -> Iterator[str]:
        """Yield the history as canonical JSON lines, each with its end of line."""
        meta = {"model": self.model, "initial": self._initial_as_json()}
        yield _line({"meta": meta})
        events: list[tuple[int, dict[str, object], int | None]] = []
        for number, call in enumerate(self._calls):
            name = _name_in_file(call.name, number)
            event: dict[str, object] = {"ev": "call", "op": name, "p": call.process}
            event |= {"f": call.function, "k": thawed(call.key)}
            event |= {"a": [thawed(part) for part in call.arguments]}
            events.append((call.position, event, call.time_us))
            if back := self._returns.get(number):
                event = {"ev": "ret", "op": name, "p": call.process}
                event |= {"st": back.outcome, "v": thawed(back.value)}
                events.append((back.position, event, back.time_us))
        for position, event, time_us in sorted(events, key=lambda one: one[0]):
            clock = {} if time_us is None else {"t": time_us}
            yield _line({"i": position, **event, **clock})

    def _initial_as_json(self) -> object:
        if self.model.startswith("kv-") and isinstance(self.initial, tuple):
            pairs = [pair for pair in self.initial if isinstance(pair, tuple)]
            return {str(thawed(key)): thawed(value) for key, value in pairs}
        return thawed(self.initial)

    @staticmethod
    def _operation(number: int, call: _Call, back: _Return | None) -> Operation:
        is_open = back is None or back.outcome == "info"
        return Operation(
            number=number,
            process=call.process,
            function=call.function,
            key=call.key,
            arguments=call.arguments,
            called=call.position,
            returned=None if is_open or back is None else back.position,
            outcome="info" if back is None else back.outcome,
            value=None if back is None else back.value,
            called_us=call.time_us,
            returned_us=None if back is None else back.time_us,
            name=call.name,
            line=call.line,
        )


def _name_in_file(name: str, number: int) -> int | str:
    return int(name) if name.isdecimal() and name.isascii() else name or number


def _line(event: dict[str, object]) -> str:
    return msgspec.json.encode(event).decode() + "\n"
