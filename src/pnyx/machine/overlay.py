"""Rows of a space with changes laid over them, as the next command must see them."""

from collections.abc import Iterator, Mapping

from pnyx.machine.space import Reader


class Remaining:
    """The rows of a space but for the ranges that go with the next write."""

    def __init__(self, space: Reader) -> None:
        self._space = space
        self._ranges: list[tuple[bytes, bytes]] = []

    def get(self, key: bytes) -> bytes | None:
        return None if self._ranges and self._is_gone(key) else self._space.get(key)

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        if not self._ranges:
            return self._space.scan(start, stop)
        return (row for row in self._space.scan(start, stop) if not self._is_gone(row[0]))

    def drop(self, lower: bytes, upper: bytes) -> None:
        """Hide a range from here on; `take_ranges` tells whoever writes to delete it."""
        self._ranges.append((lower, upper))

    def take_ranges(self) -> list[tuple[bytes, bytes]]:
        """Return what was dropped, and start with nothing again."""
        ranges, self._ranges = self._ranges, []
        return ranges

    def _is_gone(self, row_key: bytes) -> bool:
        return any(lower <= row_key < upper for lower, upper in self._ranges)


def overlaid(
    stored: Iterator[tuple[bytes, bytes]],
    changes: Mapping[bytes, bytes | None],
    lower: bytes,
    upper: bytes,
) -> Iterator[tuple[bytes, bytes]]:
    """Yield, in key order, what `stored` becomes by the changes (None deletes) in its range."""
    changed = sorted(row_key for row_key in changes if lower <= row_key < upper)
    if not changed:
        return stored
    return _merged(stored, [(row_key, changes[row_key]) for row_key in changed])


def _merged(
    stored: Iterator[tuple[bytes, bytes]], changed: list[tuple[bytes, bytes | None]]
) -> Iterator[tuple[bytes, bytes]]:
    following = 0
    for row_key, row in stored:
        while following < len(changed) and changed[following][0] < row_key:
            yield from _present(changed[following])
            following += 1
        if following < len(changed) and changed[following][0] == row_key:
            yield from _present(changed[following])
            following += 1
        else:
            yield row_key, row
    for change in changed[following:]:
        yield from _present(change)


def _present(change: tuple[bytes, bytes | None]) -> Iterator[tuple[bytes, bytes]]:
    row_key, row = change
    if row is not None:
        yield row_key, row
