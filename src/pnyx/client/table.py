"""Which commands there are, which of their words are keys, and which write: what COMMAND said."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pnyx.client.command import Command
from pnyx.client.commands import same_slot
from pnyx.client.wire import Value, Words, raw_of

EVERY_COMMAND: Final = Command(("COMMAND",), None, writes=False)

OF_CONNECTIONS: Final = frozenset(
    {
        "ASKING", "AUTH", "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "PNYX.SEQ",
        "PNYX.STALE", "QUIT",
        "READONLY", "READWRITE", "RESET", "SELECT", "UNWATCH", "WATCH",
    }
)  # fmt: skip
"""They change the connection that they come on."""


@dataclass(frozen=True, slots=True)
class _Row:
    writes: bool
    first: int
    last: int
    step: int


class Table:
    """The commands of the nodes."""

    def __init__(self, reply: Iterable[Any]) -> None:
        self._rows = _rows_of(reply)

    def command(self, words: Words) -> Command:
        """Return the command that `words` are; one that is not listed goes to any node.

        Raises:
            CrossSlot: its keys do not share a slot; nothing was sent.
            ValueError: it would change the connection, and those are shared.
        """
        if not words:
            raise ValueError("name a command")
        name = raw_of(words[0]).decode(errors="replace").upper()
        if name in OF_CONNECTIONS or (name == "CLIENT" and _second(words) == "REPLY"):
            raise ValueError(
                f"{name} changes its connection, and those are shared; "
                "use `transaction`, or a Redis library for it"
            )
        row = self._rows.get(f"{name}|{_second(words)}") or self._rows.get(name)
        if row is None:
            return Command(words, None, writes=False)
        return Command(words, same_slot(_keys(row, words), name), writes=row.writes)


def _rows_of(reply: Iterable[Any]) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    for name, _arity, flags, first, last, step, *more in reply:
        rows[_text(name).upper()] = _Row("write" in map(_text, flags), first, last, step)
        # ACL categories, tips, key specifications; then OBJECT|ENCODING and its like.
        for inner in more[3:4]:
            rows |= _rows_of(inner)
    return rows


def _keys(row: _Row, words: Words) -> tuple[Value, ...]:
    if row.first == 0:
        return ()
    last = row.last if row.last >= 0 else len(words) + row.last
    return words[row.first : last + 1 : row.step]


def _second(words: Words) -> str:
    return raw_of(words[1]).decode(errors="replace").upper() if len(words) > 1 else ""


def _text(word: Any) -> str:
    text: str = word.decode() if isinstance(word, bytes) else str(word)
    return text
