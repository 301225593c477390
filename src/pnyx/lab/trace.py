"""A run as JSON lines: every event, what caused it, what it carried and what it changed.

Line 1 is the header {scenario, seed, code}; every other line is a `Row`. `read` takes both back;
rows are plain data, so ``pandas.DataFrame(map(msgspec.structs.asdict, rows))`` is the frame.
"""

from collections.abc import Iterable, Iterator

import msgspec

from pnyx.errors import Unlisted
from pnyx.lab.process import Process
from pnyx.lab.timeline import Event
from pnyx.lab.wiring import parcels_in
from pnyx.lab.world import World
from pnyx.transport.codec import BadParcel
from pnyx.transport.frames import BadFrame


class Header(msgspec.Struct, frozen=True):
    """Line 1."""

    scenario: str
    seed: int
    code: str
    """The hash of the code that ran."""


class Row(msgspec.Struct, frozen=True):
    """One event."""

    id: int
    t_us: int
    node: int
    """0 is nowhere."""
    kind: str
    caused_by: int
    """The id of the event during which this one was planned; 0 from outside."""
    message: str = ""
    """What was delivered."""
    state_change: str = ""
    """What is different at the node afterwards."""


class Recorder:
    """Listens to a world from its beginning."""

    def __init__(self, world: World) -> None:
        self.rows: list[Row] = []
        self._world = world
        self._states: dict[int, dict[str, object]] = {}
        world.timeline.after = self._happened

    def _happened(self, event: Event) -> None:
        message = ""
        if event.kind == "deliver":
            source, _, content = event.arguments
            message = f"from n{source}: {_messages(content)}"
        elif event.place == 0 and event.kind != "script":
            message = ", ".join(str(part) for part in event.arguments if _is_plain(part))
        touched = [event.place] if event.place else sorted(self._world.processes)
        changes = [text for number in touched if (text := self._change(number))]
        self.rows.append(
            Row(
                event.id,
                event.at_us,
                event.place,
                event.kind,
                event.cause,
                message,
                "; ".join(changes),
            )
        )

    def _change(self, number: int) -> str:
        process = self._world.processes.get(number)
        if process is None:
            return ""
        after = _state(process)
        before = self._states.get(number, {})
        self._states[number] = after
        words = [f"{name}={value}" for name, value in after.items() if before.get(name) != value]
        return f"n{number} {' '.join(words)}" if words else ""


def write(header: Header, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the lines of a trace file."""
    encode = msgspec.json.encode
    yield encode(header) + b"\n"
    for row in rows:
        yield encode(row) + b"\n"


def read(lines: Iterable[bytes]) -> tuple[Header, list[Row]]:
    """Return what `write` was given.

    Raises:
        Unlisted: a line is none of a trace; the error names it.
    """
    decoded: list[Row] = []
    header: Header | None = None
    number = 0
    try:
        for number, line in enumerate(lines, start=1):  # noqa: B007 - named in the error below
            if header is None:
                header = msgspec.json.decode(line, type=Header)
            else:
                decoded.append(msgspec.json.decode(line, type=Row))
    except msgspec.DecodeError as error:
        raise _no_trace(f"line {number}: {error}") from error
    if header is None:
        raise _no_trace("it is empty")
    return header, decoded


def _no_trace(cause: str) -> Unlisted:
    return Unlisted(
        "this is no trace of the Lab",
        cause=cause,
        next_step="write one with `pnyx lab run SEED --trace FILE`",
    )


def _state(process: Process) -> dict[str, object]:
    state: dict[str, object] = {"condition": process.condition.value}
    if process.replica is not None:
        consensus = process.replica.consensus
        state["role"] = consensus.role.name.lower()
        state["term"] = consensus.term
        state["last"] = consensus.last_index
        state["durable"] = consensus.durable_index
        state["commit"] = consensus.commit_index
        state["applied"] = process.replica.group.applied.index
    return state


def _messages(content: bytes) -> str:
    try:
        packets = [packet for parcel in parcels_in(content) for packet in parcel.packets]
    except (BadFrame, BadParcel) as error:
        return f"damaged: {error}"
    return ", ".join(repr(packet.message) for packet in packets)


def _is_plain(part: object) -> bool:
    return isinstance(part, int | str | tuple) or type(part).__name__ == "Fault"
