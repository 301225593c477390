"""LCS: the longest, Redis' choice among the longest, and the limit."""

from hypothesis import given, strategies as st

from machine.driving import Driver, plain
from pnyx.machine.commands import Lcs, Set
from pnyx.machine.lcs import LCS_BYTES_MAX, TOO_LARGE, longest_common

WORDS = st.binary(max_size=40).map(lambda word: bytes(byte % 3 for byte in word))


def common(first: bytes, second: bytes, **options: bool | int) -> object:
    command = Lcs(b"a", b"b", **options)  # type: ignore[arg-type]  # options of three types
    return plain(longest_common(first, second, command))


def test_the_example_of_the_redis_documentation() -> None:
    assert common(b"ohmytext", b"mynewtext") == b"mytext"
    assert common(b"ohmytext", b"mynewtext", length=True) == 6
    assert common(b"ohmytext", b"mynewtext", matches=True, with_lengths=True) == {
        b"matches": [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]],
        b"len": 6,
    }
    assert common(b"ohmytext", b"mynewtext", matches=True, match_min=4) == {
        b"matches": [[[4, 7], [5, 8]]],
        b"len": 6,
    }


def test_among_equals_the_choice_is_the_one_redis_makes() -> None:
    assert common(b"abcabc", b"cba") == b"cb"
    assert common(b"abcabc", b"cba", matches=True) == {
        b"matches": [[[4, 4], [1, 1]], [[2, 2], [0, 0]]],
        b"len": 2,
    }


def test_an_absent_key_is_an_empty_string() -> None:
    driver = Driver()
    driver.run(Set(b"a", b"x"))
    assert driver.run(Lcs(b"a", b"b"), Lcs(b"b", b"b", length=True)) == [b"", 0]


def table_length(first: bytes, second: bytes) -> int:
    """Return the length by the textbook's table."""
    row = [0] * (len(second) + 1)
    for byte in first:
        above = row[:]
        for j, other in enumerate(second, 1):
            row[j] = above[j - 1] + 1 if byte == other else max(above[j], row[j - 1])
    return row[-1]


def is_subsequence(short: bytes, long: bytes) -> bool:
    rest = iter(long)
    return all(byte in rest for byte in short)


@given(WORDS, WORDS)
def test_it_is_common_and_none_is_longer(first: bytes, second: bytes) -> None:
    found = common(first, second)
    assert isinstance(found, bytes)
    assert is_subsequence(found, first)
    assert is_subsequence(found, second)
    assert len(found) == table_length(first, second) == common(first, second, length=True)


@given(WORDS, WORDS)
def test_the_matches_spell_the_subsequence(first: bytes, second: bytes) -> None:
    found = common(first, second, matches=True)
    assert isinstance(found, dict)
    pieces = [first[a : b + 1] for (a, b), _ in reversed(found[b"matches"])]
    others = [second[a : b + 1] for _, (a, b) in reversed(found[b"matches"])]
    assert b"".join(pieces) == b"".join(others) == common(first, second)


def test_more_cells_or_bytes_than_the_limit_are_refused() -> None:
    assert common(b"a" * 1000, b"a" * 1000, length=True) == 1000
    assert common(b"a" * 1001, b"a" * 1000) == f"-{TOO_LARGE.text}"
    assert common(b"a" * LCS_BYTES_MAX, b"a", length=True) == 1
    assert common(b"a" * (LCS_BYTES_MAX + 1), b"") == f"-{TOO_LARGE.text}"
