"""Commands on strings, against what Redis 7.0.15 answers."""

import pytest

from machine.driving import LIMIT_BYTES, START_MS, Driver
from pnyx.machine import commands as c
from pnyx.machine.commands import Condition, Expiry
from pnyx.machine.keyspace import TOLD_BYTES_MAX, TOLD_REFUSED
from pnyx.machine.strings import integer_of

TOO_LONG = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"
NO_INTEGER = "-ERR value is not an integer or out of range"


def test_a_get_in_the_same_entry_sees_the_set_before_it() -> None:
    assert Driver().run(c.Set(b"k", b"1"), c.Get(b"k"), c.Get(b"j")) == ["OK", b"1", None]


def test_a_plain_set_takes_the_expiry_away_and_keepttl_keeps_it() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", Expiry(500, relative=True)))
    assert driver.run(c.Set(b"k", b"2", keep_ttl=True), c.Ttl(b"k", False)) == ["OK", 500]
    assert driver.run(c.Set(b"k", b"3"), c.Ttl(b"k", False)) == ["OK", -1]


@pytest.mark.parametrize(
    ("condition", "comparand", "there", "absent"),
    [
        (Condition.ABSENT, None, False, True),
        (Condition.PRESENT, None, True, False),
        (Condition.EQUAL, b"old", True, False),
        (Condition.EQUAL, b"other", False, False),
        (Condition.DIFFERENT, b"old", False, True),
        (Condition.DIFFERENT, b"other", True, True),
    ],
)
def test_a_conditional_set_takes_place_only_when_its_condition_holds(
    condition: Condition, comparand: bytes | None, there: bool, absent: bool
) -> None:
    driver = Driver()
    driver.run(c.Set(b"there", b"old"))
    for key, met, before in ((b"there", there, b"old"), (b"absent", absent, None)):
        command = c.Set(key, b"new", condition=condition, comparand=comparand)
        with_get = c.Set(key, b"new", condition=condition, comparand=comparand, get=True)
        assert driver.one(command) == ("OK" if met else None)
        after = b"new" if met else before
        assert driver.one(c.Get(key)) == after
        assert driver.one(with_get) == after


def test_a_set_whose_time_has_passed_leaves_no_key() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1"))
    past = Expiry(START_MS, relative=False)
    assert driver.run(c.Set(b"k", b"2", past), c.Get(b"k"), c.DbSize()) == ["OK", None, 0]


def test_msetnx_sets_all_or_none() -> None:
    driver = Driver()
    assert driver.one(c.MSet(((b"a", b"1"), (b"b", b"2"), (b"a", b"3")), absent=True)) == 1
    assert driver.one(c.MSet(((b"x", b"1"), (b"b", b"9")), absent=True)) == 0
    assert driver.one(c.MGet((b"a", b"b", b"x"))) == [b"3", b"2", None]


def test_append_and_setrange_stop_at_the_limit_and_change_nothing() -> None:
    driver = Driver()
    assert driver.one(c.Append(b"k", b"x" * LIMIT_BYTES)) == LIMIT_BYTES
    before = driver.one(c.Revisions((b"k",)))
    assert driver.one(c.Append(b"k", b"y")) == TOO_LONG
    assert driver.one(c.SetRange(b"k", LIMIT_BYTES, b"y")) == TOO_LONG
    assert driver.one(c.SetRange(b"new", LIMIT_BYTES, b"y")) == TOO_LONG
    assert driver.run(c.Revisions((b"k",)), c.DbSize()) == [before, 1]


def test_setrange_fills_the_gap_with_zeros_and_keeps_the_rest() -> None:
    driver = Driver()
    assert driver.run(c.SetRange(b"k", 2, b"cd"), c.Get(b"k")) == [4, b"\0\0cd"]
    assert driver.run(c.SetRange(b"k", 1, b"b"), c.Get(b"k")) == [4, b"\0bcd"]
    assert driver.run(c.SetRange(b"j", 9, b""), c.Exists((b"j",))) == [0, 0]


@pytest.mark.parametrize(
    ("start", "stop", "piece"),
    [
        (0, -1, b"hello"),
        (1, 3, b"ell"),
        (-3, -2, b"ll"),
        (-100, 1, b"he"),
        (0, -100, b"h"),
        (-1, -3, b""),
        (3, 1, b""),
        (4, 100, b"o"),
        (5, 9, b""),
    ],
)
def test_getrange_counts_ends_as_redis_does(start: int, stop: int, piece: bytes) -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"hello"))
    assert driver.one(c.GetRange(b"k", start, stop)) == piece


@pytest.mark.parametrize("text", [b"", b"+1", b" 1", b"1 ", b"01", b"-0", b"-", b"1.0", b"1_0"])
def test_only_the_canonical_spelling_is_an_integer(text: bytes) -> None:
    driver = Driver()
    assert driver.run(c.Set(b"k", text), c.IncrBy(b"k", 1))[1] == NO_INTEGER
    assert driver.one(c.Get(b"k")) == text


def test_the_whole_64_bit_range_is_an_integer_and_not_one_more() -> None:
    low, high = -(1 << 63), (1 << 63) - 1
    assert [integer_of(b"%d" % n) for n in (low, high)] == [low, high]
    assert [integer_of(b"%d" % n) for n in (low - 1, high + 1)] == [None, None]


def test_incr_refuses_to_overflow_and_keeps_the_expiry() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"%d" % ((1 << 63) - 2), Expiry(99, relative=True)))
    assert driver.one(c.IncrBy(b"k", 1)) == (1 << 63) - 1
    assert driver.one(c.IncrBy(b"k", 1)) == "-ERR increment or decrement would overflow"
    assert driver.one(c.Ttl(b"k", False)) == 99


def test_incrbyfloat_says_what_redis_says() -> None:
    driver = Driver()
    driver.run(c.Set(b"f", b"10.5"), c.Set(b"word", b"abc"), c.Set(b"inf", b"inf"))
    assert driver.run(c.IncrByFloat(b"f", b"0.1"), c.IncrByFloat(b"new", b"3.0e3")) == [
        b"10.6",
        b"3000",
    ]
    assert driver.one(c.IncrByFloat(b"word", b"1")) == "-ERR value is not a valid float"
    overflow = "-ERR increment would produce NaN or Infinity"
    assert driver.one(c.IncrByFloat(b"inf", b"1")) == overflow
    assert driver.one(c.IncrByFloat(b"f", b"1e4000")) == TOO_LONG


def test_getdel_gives_the_value_and_no_key_is_left() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1"))
    assert driver.run(c.GetDel(b"k"), c.GetDel(b"k"), c.DbSize()) == [b"1", None, 0]


def test_values_told_together_are_bounded_in_a_request_and_in_one_mget() -> None:
    value = b"v" * (4 * 1024 * 1024)
    driver = Driver(limit_bytes=len(value))
    driver.run(c.Set(b"k", value))
    told = TOLD_BYTES_MAX // len(value)
    asked = [c.Get(b"k")] * (told + 2)
    refused = [TOLD_REFUSED] * 2
    assert driver.group.read(asked, START_MS) == [value] * told + refused
    assert driver.apply([asked])[0] == [value] * told + refused
    assert driver.group.read([c.MGet((b"k",) * (told + 1))], START_MS) == [TOLD_REFUSED]
    assert driver.group.read([c.Get(b"k")], START_MS) == [value]


LARGE = b"v" * (4 * 1024 * 1024)


@pytest.mark.parametrize(
    "ask",
    [
        c.GetRange(b"k", 0, -1),
        c.GetVersioned(b"k"),
        c.GetEx(b"k", persist=True),
        c.Set(b"k", LARGE, get=True),
    ],
)
def test_whatever_tells_a_value_is_bounded_as_get_is(ask: c.AnyCommand) -> None:
    driver = Driver(limit_bytes=len(LARGE))
    driver.run(c.Set(b"k", LARGE))
    told = TOLD_BYTES_MAX // len(LARGE)
    results = driver.apply([[ask] * (told + 2)])[0]
    assert [result == TOLD_REFUSED for result in results] == [False] * told + [True] * 2


def test_a_write_that_may_not_tell_the_value_does_nothing() -> None:
    driver = Driver(limit_bytes=len(LARGE))
    driver.run(c.Set(b"k", LARGE))
    asked: list[c.AnyCommand] = [c.Get(b"k")] * (TOLD_BYTES_MAX // len(LARGE))
    asked += [c.GetDel(b"k"), c.Set(b"k", b"", get=True), c.GetEx(b"k", Expiry(1, relative=True))]
    assert driver.apply([asked])[0][-3:] == [TOLD_REFUSED] * 3
    assert driver.run(c.Strlen(b"k"), c.Ttl(b"k", seconds=False)) == [len(LARGE), -1]
