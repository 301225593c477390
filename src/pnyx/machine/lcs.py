"""The longest common subsequence of two values, with Redis' choice among equals (t_string.c).

The table of lengths is not filled cell by cell: a row is one integer whose bit j - 1 is set where
the length does *not* grow from column j - 1 to j, and a row follows from the one above by a few
operations on whole integers. (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.)
The way back through the table needs no more than those bits.
"""

from typing import Final

from pnyx.machine.commands import Lcs
from pnyx.machine.results import Pairs, Refusal, Result, Values

LCS_CELLS_MAX: Final = 1_000_000
"""Cells of the table, one value's bytes times the other's."""
LCS_BYTES_MAX: Final = 32_768
"""Bytes of either value: a narrow table has few cells and many rows."""

TOO_LARGE: Final = Refusal(
    f"ERR LCS compares at most {LCS_BYTES_MAX} bytes, and {LCS_CELLS_MAX} as the product of both "
    "lengths"
)


def longest_common(first: bytes, second: bytes, command: Lcs) -> Result:
    """Return what the command asks: the count, the matches, or the subsequence itself."""
    too_long = max(len(first), len(second)) > LCS_BYTES_MAX
    if too_long or len(first) * len(second) > LCS_CELLS_MAX:
        return TOO_LARGE
    rows = _rows(first, second)
    if command.length:
        return len(second) - rows[-1].bit_count()
    if command.matches:
        return _matches(first, second, rows, command)
    path = _path(first, second, rows)
    return bytes([first[i] for i, _ in reversed(path)])


def _rows(first: bytes, second: bytes) -> list[int]:
    """Return a row of bits for every prefix of `first`, the empty one included."""
    full = (1 << len(second)) - 1
    places = {byte: _places(byte, second) for byte in dict.fromkeys(first)}
    row = full
    rows = [row]
    for byte in first:
        hits = row & places[byte]
        row = ((row + hits) | (row - hits)) & full
        rows.append(row)
    return rows


def _places(byte: int, text: bytes) -> int:
    """Return bit j set for every j where `text` has `byte`."""
    digits = bytearray(b"0" * 256)
    digits[byte] = 0x31
    return int(text[::-1].translate(digits) or b"0", 2)


def _path(first: bytes, second: bytes, rows: list[int]) -> list[tuple[int, int]]:
    """Return the matched places, last to first, as Redis walks back through its table."""
    j = len(second)
    width = (j + 7) >> 3
    path: list[tuple[int, int]] = []
    for i in range(len(first), 0, -1):
        # As bytes: a shift of the whole row would cost its length at every step.
        row = rows[i].to_bytes(width, "little")
        byte = first[i - 1]
        # While the column before has the same length, Redis prefers to shorten `second`.
        while j > 0 and byte != second[j - 1] and row[(j - 1) >> 3] >> ((j - 1) & 7) & 1:
            j -= 1
        if j == 0:
            break
        if byte == second[j - 1]:
            j -= 1
            path.append((i - 1, j))
    return path


def _matches(first: bytes, second: bytes, rows: list[int], command: Lcs) -> Result:
    found: list[Result] = []
    for start, other, length in _runs(_path(first, second, rows)):
        if length < command.match_min:
            continue
        ranges = (
            Values((start, start + length - 1)),
            Values((other, other + length - 1)),
        )
        found.append(Values((*ranges, length) if command.with_lengths else ranges))
    count = len(second) - rows[-1].bit_count()
    return Pairs(((b"matches", Values(tuple(found))), (b"len", count)))


def _runs(path: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return (start in first, start in second, length) of unbroken matches, last to first."""
    runs: list[tuple[int, int, int]] = []
    for i, j in path:
        if runs and runs[-1][0] == i + 1 and runs[-1][1] == j + 1:
            runs[-1] = (i, j, runs[-1][2] + 1)
        else:
            runs.append((i, j, 1))
    return runs
