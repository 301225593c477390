"""BITFIELD, against what Redis 7.0.15 answers."""

import pytest
from hypothesis import given, strategies as st

from machine.driving import LIMIT_BYTES, Driver
from pnyx.machine import commands as c
from pnyx.machine.commands import BitStep

INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)


def get(kind: str, offset: int) -> BitStep:
    return BitStep("get", kind[0] == "i", int(kind[1:]), offset)


def put(kind: str, offset: int, operand: int, overflow: str = "wrap") -> BitStep:
    return BitStep("set", kind[0] == "i", int(kind[1:]), offset, operand, overflow)


def add(kind: str, offset: int, operand: int, overflow: str = "wrap") -> BitStep:
    return BitStep("incrby", kind[0] == "i", int(kind[1:]), offset, operand, overflow)


def test_steps_see_the_steps_before_them() -> None:
    steps = (put("u8", 0, 255), get("u8", 0), get("i8", 0), add("u4", 4, 1), get("u8", 0))
    assert Driver().one(c.BitField(b"k", steps)) == [0, 255, -1, 0, 240]


@pytest.mark.parametrize(
    ("step", "answer", "held"),
    [
        (add("u2", 6, 1, "wrap"), 0, 0),
        (add("u2", 6, 1, "sat"), 3, 3),
        (add("u2", 6, 1, "fail"), None, 3),
        (add("u2", 6, -4, "sat"), 0, 0),
        (put("u2", 6, -1, "sat"), 3, 3),
        (put("u2", 6, 5, "wrap"), 3, 1),
        (put("u2", 6, 5, "fail"), None, 3),
    ],
)
def test_an_overflow_wraps_saturates_or_fails(step: BitStep, answer: int, held: int) -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"\x03"))
    assert driver.one(c.BitField(b"k", (step, get("u2", 6)))) == [answer, held]


def test_a_signed_set_far_below_saturates_upwards_as_in_redis() -> None:
    low = -(1 << 63)
    steps = (put("i8", 0, low, "sat"), get("i8", 0), put("i8", 0, -1000, "sat"), get("i8", 0))
    assert Driver().one(c.BitField(b"k", steps)) == [0, 127, 127, -128]
    added = (add("i8", 0, low, "sat"), add("u8", 0, low, "sat"))
    assert Driver().one(c.BitField(b"j", added)) == [-128, 0]


def test_reading_never_makes_a_key_or_an_answer_beyond_its_end() -> None:
    driver = Driver()
    steps = (get("u63", 1 << 31), get("i5", 0))
    assert driver.run(c.BitField(b"k", steps), c.BitFieldRead(b"k", steps)) == [[0, 0], [0, 0]]
    assert driver.one(c.DbSize()) == 0


def test_a_step_that_fails_still_makes_room() -> None:
    driver = Driver()
    assert driver.one(c.BitField(b"k", (put("u8", 8, 300, "fail"),))) == [None]
    assert driver.one(c.Get(b"k")) == bytes(2)


def test_growth_beyond_the_limit_is_refused_before_any_step() -> None:
    driver = Driver()
    steps = (put("u8", 0, 1), put("u8", LIMIT_BYTES * 8, 1))
    answer = driver.one(c.BitField(b"k", steps))
    assert answer == "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    assert driver.one(c.DbSize()) == 0


@given(st.integers(1, 64), st.integers(0, 70), INTEGERS, st.binary(min_size=20, max_size=20))
def test_a_field_holds_what_was_put_there_and_touches_no_other_bit(
    width: int, offset: int, operand: int, value: bytes
) -> None:
    driver = Driver()
    driver.run(c.Set(b"k", value))
    steps = (put(f"i{width}", offset, operand), get(f"i{width}", offset))
    after = driver.run(c.BitField(b"k", steps), c.Get(b"k"))
    half = 1 << (width - 1)
    assert after[0] is not None
    assert isinstance(after[0], list)
    assert after[0][1] == (operand + half) % (2 * half) - half
    assert isinstance(after[1], bytes)
    changed = int.from_bytes(value, "big") ^ int.from_bytes(after[1], "big")
    assert changed & ~(((1 << width) - 1) << (160 - offset - width)) == 0
