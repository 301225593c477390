"""Glob patterns, against what KEYS of a redis-server 7.0.15 finds."""

import time

import pytest
from hypothesis import given, strategies as st

from pnyx.machine.glob import PATTERN_BYTES_MAX, STEPS_MAX, Glob


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (b"h?llo", [b"hello", b"h\nllo"], [b"hllo", b"heello"]),
        (b"h*llo", [b"hllo", b"heeeello"], [b"hell", b"xhllo"]),
        (b"h[ae]llo", [b"hello", b"hallo"], [b"hillo", b"hllo"]),
        (b"h[^e]llo", [b"hallo", b"h^llo"], [b"hello"]),
        (b"h[a-b]llo", [b"hallo", b"hbllo"], [b"hcllo", b"h-llo"]),
        (b"h[b-a]llo", [b"hallo", b"hbllo"], [b"hcllo"]),
        (rb"h\*llo", [b"h*llo"], [b"hxllo", rb"h\*llo"]),
        (rb"[\]]", [b"]"], [b"\\", rb"\]"]),
        (b"[]a]", [], [b"]a]", b"a]", b"a"]),
        (b"[^]a", [b"xa"], [b"a"]),
        (b"[a-]", [b"a", b"]", b"^"], [b"-", b"b"]),
        (b"[ab", [b"a", b"b"], [b"[ab", b"c"]),
        (b"a\\", [b"a\\"], [b"a"]),
        (b"*.txt*.c", [b"a.txtb.c", b".txt.c"], [b"a.txt", b".c.txt"]),
        (b"*a?c*", [b"xabcx", b"aabcx"], [b"ac"]),
        (b"**", [b"x", b"xy"], [b""]),
        (b"*", [b"", b"x\ny"], []),
        (b"", [b""], [b"x"]),
        (b"[\x80-a]", [b"\x80", b"\xff", b"\x00", b"a"], [b"b", b"\x7f"]),
    ],
)
def test_a_pattern_matches_what_it_matches_in_redis(
    pattern: bytes, matching: list[bytes], others: list[bytes]
) -> None:
    glob = Glob(pattern)
    assert [key for key in matching if not glob.matches(key)] == []
    assert [key for key in others if glob.matches(key)] == []


def test_many_stars_take_no_exponential_time() -> None:
    """CVE-2022-36021: this did not end before the sun does."""
    glob = Glob(b"a*" * (PATTERN_BYTES_MAX // 2 - 1) + b"b")
    assert not glob.matches(b"a" * 10_000)
    assert glob.matches(b"a" * 10_000 + b"b")


@pytest.mark.parametrize("middle", [b"a" * 1000 + b"b", b"ab" * 500 + b"b", b"a*" * 500 + b"b"])
def test_plain_bytes_between_stars_are_found_in_time_linear_in_the_key(middle: bytes) -> None:
    """They took three seconds."""
    glob = Glob(b"*" + middle + b"*")
    began = time.process_time()
    assert not glob.matches(b"a" * 4_000_000)
    assert time.process_time() - began < 0.5


def test_a_glob_says_before_what_its_wildcards_may_cost() -> None:
    key = b"a" * 100_000
    assert Glob(b"*" + b"a?" * 500 + b"b*").steps(key) > STEPS_MAX
    assert Glob(b"*a?b*").steps(key) == 3 * len(key)
    for plain in (b"*" + b"a" * 1000 + b"*", b"*??*", b"a?[b]*", b"*[b]?", b"[ab]?"):
        assert Glob(plain).steps(key) == 0


def by_recursion(pattern: bytes, key: bytes) -> bool:
    """Stars, question marks and plain bytes, as slowly as they are defined."""
    if not pattern:
        return not key
    if pattern[:1] == b"*":
        return by_recursion(pattern[1:], key) or (key != b"" and by_recursion(pattern, key[1:]))
    if not key or (pattern[:1] != b"?" and pattern[:1] != key[:1]):
        return False
    return by_recursion(pattern[1:], key[1:])


@given(
    pattern=st.text("ab*?", max_size=8).filter(lambda text: set(text) != {"*"}),
    key=st.text("ab", max_size=10),
)
def test_a_glob_takes_what_its_definition_takes(pattern: str, key: str) -> None:
    asked, found = pattern.encode(), key.encode()
    assert Glob(asked).matches(found) == by_recursion(asked, found)
