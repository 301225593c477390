"""INCRBYFLOAT's arithmetic against sums that redis-server 7.0.15 printed on x86-64."""

import pytest
from hypothesis import given, strategies as st

from pnyx.machine.floats import INFINITE, INVALID, TEXT_BYTES_MAX, add_decimal, parse_decimal


def added(first: bytes, second: bytes) -> bytes | None:
    left, right = parse_decimal(first), parse_decimal(second)
    assert left is not None
    assert right is not None
    return add_decimal(left, right)


@pytest.mark.parametrize(
    ("first", "second", "total"),
    [
        (b"10.5", b"0.1", b"10.6"),
        (b"3", b"1.1", b"4.1"),
        (b"0.1", b"0.2", b"0.3"),
        (b"5.0e3", b"2.0e2", b"5200"),
        (b"1e17", b"0.1", b"100000000000000000.1015625"),
        (b"123456789012345678901234567890", b"1", b"123456789012345678899921813504"),
        (b"0x1p-3", b"1", b"1.125"),
        (b"9007199254740993", b"0.5", b"9007199254740993.5"),
        (b"18446744073709551617", b"0", b"18446744073709551616"),
        (b"-1e-30", b"0", b"0"),
        (b"6e-18", b"0", b"0.00000000000000001"),
        (b"5e-18", b"0", b"0"),
        (b"1", b"-1", b"0"),
        (b"1.9e-4951", b"0", b"0"),
        (b"-334609629279.7418", b"-0.0", b"-334609629279.74180001020431519"),
        (b"536721.7", b"4.06764177207672e+18", b"4067641772077256721.75"),
    ],
)
def test_a_sum_is_the_one_that_redis_prints(first: bytes, second: bytes, total: bytes) -> None:
    assert added(first, second) == total


def test_the_largest_numbers_have_4933_digits_and_no_more() -> None:
    largest = added(b"1.18973149535723176502e4932", b"1e4900")
    assert largest is not None
    assert (len(largest), largest[:30]) == (4933, b"118973149535723176502126385303")
    assert added(b"1e4932", b"1e4932") is None


@pytest.mark.parametrize(
    "text",
    [b"", b" 1", b"1 ", b".", b"1e", b"e5", b"nan", b"0x", b"0x.p1", b"1_0", b"1\0", b"abc"],
)
def test_what_strtold_does_not_read_is_no_number(text: bytes) -> None:
    assert parse_decimal(text) is INVALID


@pytest.mark.parametrize(
    "text",
    [b"1.8e-4951", b"1e99999999999999999999", b"1e-99999", b"0x1p16384", b"1." + b"0" * 5118],
)
def test_what_strtold_says_is_out_of_range_is_no_number(text: bytes) -> None:
    assert parse_decimal(text) is INVALID


def test_infinity_parses_and_spoils_every_sum() -> None:
    for text in (b"inf", b"-INF", b"Infinity"):
        assert parse_decimal(text) is INFINITE
    assert added(b"inf", b"-inf") is None
    assert added(b"1", b"inf") is None


def test_an_exponent_of_thousands_of_digits_costs_nothing() -> None:
    assert parse_decimal(b"1e" + b"9" * 5000) is INVALID
    assert added(b"0e" + b"9" * 5000, b"7") == b"7"
    assert added(b"1" * 4930, b"0") is not None
    assert parse_decimal(b"1" * (TEXT_BYTES_MAX + 1)) is INVALID


@given(st.integers(-(1 << 64), 1 << 64), st.integers(-(1 << 62), 1 << 62))
def test_integers_of_64_bits_add_exactly(first: int, second: int) -> None:
    total = first + second
    if abs(total) <= 1 << 64:
        assert added(b"%d" % first, b"%d" % second) == b"%d" % total


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_what_was_printed_parses_to_the_same_again(number: float) -> None:
    once = added(repr(number).encode(), b"0")
    assert once is not None
    # 17 decimals hold more than the 64 bits of a number above 2 ** 7, not of a smaller one.
    if abs(number) >= 128 or number == 0:
        assert added(once, b"0") == once
