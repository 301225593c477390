"""Glob patterns, against what KEYS of a redis-server 7.0.15 finds."""

import pytest

from pnyx.machine.glob import PATTERN_BYTES_MAX, matcher


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
    matches = matcher(pattern)
    assert [key for key in matching if matches(key) is None] == []
    assert [key for key in others if matches(key) is not None] == []


def test_many_stars_take_no_exponential_time() -> None:
    """CVE-2022-36021: this did not end before the sun does."""
    matches = matcher(b"a*" * (PATTERN_BYTES_MAX // 2 - 1) + b"b")
    assert matches(b"a" * 10_000) is None
    assert matches(b"a" * 10_000 + b"b") is not None
