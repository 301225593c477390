"""Bit commands, against what Redis 7.0.15 answers."""

import pytest

from machine.driving import LIMIT_BYTES, Driver
from pnyx.machine import bits, commands as c
from pnyx.machine.strings import TOO_LONG


def holding(**values: bytes) -> Driver:
    driver = Driver()
    driver.run(*[c.Set(key.encode(), value) for key, value in values.items()])
    return driver


def test_setbit_gives_the_bit_before_and_grows_with_zeros() -> None:
    driver = Driver()
    assert driver.run(c.SetBit(b"k", 17, 1), c.SetBit(b"k", 17, 0), c.Get(b"k")) == [0, 1, bytes(3)]
    assert driver.run(c.GetBit(b"k", 17), c.GetBit(b"k", 1 << 40)) == [0, 0]


def test_setbit_that_changes_nothing_is_no_write() -> None:
    driver = holding(k=b"\x80")
    before = driver.one(c.Revisions((b"k",)))
    assert driver.run(c.SetBit(b"k", 0, 1), c.Revisions((b"k",))) == [1, before]
    assert driver.run(c.SetBit(b"k", 0, 0), c.Revisions((b"k",)))[1] != before


def test_setbit_stops_at_the_limit() -> None:
    driver = Driver()
    assert driver.one(c.SetBit(b"k", LIMIT_BYTES * 8, 1)) == f"-{TOO_LONG.text}"
    assert driver.run(c.SetBit(b"k", LIMIT_BYTES * 8 - 1, 1), c.Strlen(b"k")) == [0, LIMIT_BYTES]


@pytest.mark.parametrize(
    ("start", "stop", "by_bit", "ones"),
    [
        (None, None, False, 26),
        (0, 0, False, 4),
        (1, 1, False, 6),
        (0, -1, False, 26),
        (-2, -1, False, 7),
        (-1, -2, False, 0),
        (5, 30, True, 17),
        (-8, -1, True, 4),
        (47, 100, True, 0),
        (100, 200, False, 0),
        (0, -100, False, 4),
    ],
)
def test_bitcount_counts_within_its_range(
    start: int | None, stop: int | None, by_bit: bool, ones: int
) -> None:
    assert holding(k=b"foobar").one(c.BitCount(b"k", start, stop, by_bit)) == ones


@pytest.mark.parametrize(
    ("value", "bit", "start", "stop", "by_bit", "place"),
    [
        (b"\xff\xf0\x00", 0, None, None, False, 12),
        (b"\x00\xff\xf0", 1, 0, None, False, 8),
        (b"\x00\xff\xf0", 1, 2, None, False, 16),
        (b"\x00\xff\xf0", 1, 2, -1, False, 16),
        (b"\x00\xff\xf0", 1, 7, 15, True, 8),
        (b"\x00\xff\xf0", 1, -3, -1, True, -1),
        (b"\xff\xff", 0, None, None, False, 16),
        (b"\xff\xff", 0, 0, None, False, 16),
        (b"\xff\xff", 0, 0, -1, False, -1),
        (b"\xff\xff", 0, 2, None, False, -1),
        (b"\x00\x00", 1, None, None, False, -1),
        (b"", 0, None, None, False, -1),
        (b"\xff", 0, 3, 1, False, -1),
    ],
)
def test_bitpos_finds_the_first_bit(
    value: bytes, bit: int, start: int | None, stop: int | None, by_bit: bool, place: int
) -> None:
    assert holding(k=value).one(c.BitPos(b"k", bit, start, stop, by_bit)) == place


def test_bitpos_of_no_key_is_that_of_endless_zeros() -> None:
    assert Driver().run(c.BitPos(b"k", 1), c.BitPos(b"k", 0, 5, 9)) == [-1, 0]


def test_bitop_fills_the_shorter_values_with_zeros() -> None:
    driver = holding(a=b"\xff\x0f\xaa", b=b"\x0f")
    for operation, value in (("and", "0f0000"), ("or", "ff0faa"), ("xor", "f00faa")):
        command = c.BitOp(operation, b"to", (b"a", b"b", b"absent")[: 2 + (operation != "and")])
        assert driver.run(command, c.Get(b"to")) == [3, bytes.fromhex(value)]
    assert driver.run(c.BitOp("not", b"to", (b"a",)), c.Get(b"to")) == [3, b"\x00\xf0\x55"]


def test_bitop_without_any_bytes_deletes_the_destination() -> None:
    driver = holding(to=b"1")
    assert driver.run(c.BitOp("or", b"to", (b"x", b"y")), c.Exists((b"to",))) == [0, 0]


def test_bitop_over_its_cap_is_refused_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = holding(a=b"12345678", to=b"1")
    monkeypatch.setattr(bits, "BITOP_BYTES_MAX", 16)
    assert driver.one(c.BitOp("or", b"to", (b"a", b"a"))) == 8
    answer = driver.one(c.BitOp("or", b"to", (b"a", b"a", b"a")))
    assert answer == f"-{bits.BITOP_REFUSED.text}"
    assert driver.one(c.Get(b"to")) == b"12345678"


def test_bitop_reads_no_source_behind_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bits, "BITOP_BYTES_MAX", 100)
    driver = holding(k=b"v" * 60)
    driver.one(c.BitOp("and", b"d", (b"k",) * 1_000))
    assert driver.group._keyspace.looked_bytes < 200
