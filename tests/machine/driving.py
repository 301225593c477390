"""A group on a space in memory, driven entry by entry, as the tests of this floor need it."""

from collections.abc import Sequence

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.machine.commands import AnyCommand, Batch, decode, encode
from pnyx.machine.group import Group
from pnyx.machine.results import Pairs, Refusal, Result, Status, Values
from pnyx.machine.space import Space
from pnyx.storage.memory import MemorySpace

START_MS = 1_000_000
LIMIT_BYTES = 1_024
GROUP = GroupId(1)
MEMBERS = Membership((NodeId(1), NodeId(2), NodeId(3)))


def entry_of(index: int, batch: Batch) -> Entry:
    return Entry(Index(index), Term(1), EntryKind.COMMANDS, encode(batch))


def pair(index: int, batch: Batch) -> tuple[Entry, Batch]:
    """Return the entry and its batch as they come out of a log: encoded and decoded."""
    entry = entry_of(index, batch)
    return entry, decode(entry.payload)


def plain(result: Result) -> object:
    """Return a result in the words of Python, for short comparisons."""
    match result:
        case Status(text):
            return text.decode()
        case Refusal(text):
            return f"-{text}"
        case Values(members):
            return [plain(member) for member in members]
        case Pairs(members):
            return {plain(key): plain(value) for key, value in members}
        case _:
            return result


class Driver:
    """Every `run` is one entry, at `now_ms`."""

    def __init__(self, space: Space | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.space: Space = MemorySpace() if space is None else space
        self.group = Group(self.space, GROUP)
        self.now_ms = START_MS
        self.limit_bytes = limit_bytes

    def run(self, *commands: AnyCommand) -> list[object]:
        return [plain(result) for result in self.apply([commands])[0]]

    def one(self, command: AnyCommand) -> object:
        return self.run(command)[0]

    def apply(self, batches: Sequence[Sequence[AnyCommand]]) -> list[list[Result]]:
        first = self.group.applied.index + 1
        return self.group.apply(
            [
                pair(first + at, Batch(self.now_ms, self.limit_bytes, tuple(commands)))
                for at, commands in enumerate(batches)
            ]
        )

    def read(self, *commands: AnyCommand, now_ms: int | None = None) -> list[object] | None:
        results = self.group.read(commands, self.now_ms if now_ms is None else now_ms)
        return None if results is None else [plain(result) for result in results]


def dump(space: Space) -> list[tuple[bytes, bytes]]:
    """Return every row of a space."""
    return list(space.scan(b"", b"\xff" * 9))
