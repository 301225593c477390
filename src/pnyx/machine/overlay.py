"""Rows of a space with changes laid over them, as the next command must see them."""

from collections.abc import Iterator, Mapping


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
