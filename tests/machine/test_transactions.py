"""Transactions: in one piece, in order, without roll-back, and only if nothing watched changed."""

import pytest

from machine.driving import Driver
from pnyx.machine import commands as c, transactions
from pnyx.machine.commands import AnyCommand, Command, Condition, Expiry
from pnyx.machine.results import NULL_ARRAY

LATER = Expiry(100, relative=True)


def watched(driver: Driver, *keys: bytes) -> tuple[tuple[bytes, int], ...]:
    revisions = driver.read(c.Revisions(keys))
    assert revisions is not None
    return tuple(zip(keys, revisions[0], strict=True))  # type: ignore[call-overload]


def test_every_command_has_its_place_in_the_table() -> None:
    named = {each for each in vars(c).values() if isinstance(each, type)}
    all_of_them = {each for each in named if issubclass(each, Command)} - {Command, c.Write}
    assert set(transactions.COMMANDS) == all_of_them
    assert set(transactions.READS) == {each for each in all_of_them if not each.writes}


def test_a_refused_command_leaves_the_others_effects_alone() -> None:
    driver = Driver()
    commands = (c.Set(b"k", b"word"), c.IncrBy(b"k", 1), c.Append(b"k", b"s"), c.Get(b"k"))
    assert driver.one(c.Transaction(commands)) == [
        "OK",
        "-ERR value is not an integer or out of range",
        5,
        b"words",
    ]


@pytest.mark.parametrize(
    ("change", "touches"),
    [
        (c.Set(b"k", b"ab"), True),
        (c.Append(b"k", b""), True),
        (c.Append(b"new", b""), True),
        (c.Del((b"k",)), True),
        (c.Expire(b"k", LATER), True),
        (c.GetEx(b"k", LATER), True),
        (c.Rename(b"k", b"j"), True),
        (c.Copy(b"k", b"new"), True),
        (c.SetRange(b"k", 0, b"a"), True),
        (c.FlushAll(), True),
        (c.IncrBy(b"new", 0), True),
        (c.Set(b"other", b""), False),
        (c.Get(b"k"), False),
        (c.Del((b"new",)), False),
        (c.Persist(b"k"), False),
        (c.GetEx(b"k", persist=True), False),
        (c.Rename(b"k", b"k"), False),
        (c.SetRange(b"k", 0, b""), False),
        (c.IncrBy(b"k", 1), False),
        (c.Set(b"k", b"", condition=Condition.ABSENT), False),
        (c.SetBit(b"k", 0, 0), False),
    ],
)
def test_a_watched_key_counts_as_changed_when_it_does_in_redis(
    change: AnyCommand, touches: bool
) -> None:
    """The answers are those of a redis-server 7.0.15."""
    driver = Driver()
    driver.run(c.Set(b"k", b"ab"))
    remembered = watched(driver, b"k", b"new")
    driver.run(change)
    result = driver.one(c.Transaction((c.Set(b"done", b"1"),), remembered))
    assert result == (NULL_ARRAY if touches else ["OK"])
    assert driver.one(c.Exists((b"done",))) == (not touches)


def test_a_watched_key_that_expired_has_changed() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", LATER))
    remembered = watched(driver, b"k")
    driver.now_ms += 100
    assert driver.one(c.Transaction((c.Tick(),), remembered)) == NULL_ARRAY
    assert driver.one(c.Transaction((c.DbSize(),), watched(driver, b"k"))) == [0]


def test_revisions_grow_with_every_write_of_a_key() -> None:
    driver = Driver()
    assert driver.one(c.Revisions((b"k",))) == [0]
    revisions = []
    for change in (c.Set(b"k", b"1"), c.Set(b"j", b"1"), c.Set(b"k", b"1"), c.Expire(b"k", LATER)):
        driver.run(change)
        revisions.append(driver.one(c.Revisions((b"k", b"j"))))
    assert revisions == [[1, 0], [1, 2], [3, 2], [4, 2]]
