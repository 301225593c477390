"""Revisions: read with the value, and what a compare-and-set compares with."""

from machine.driving import Driver
from pnyx.machine import commands as c
from pnyx.machine.commands import Expiry

SOON = Expiry(50, relative=True)


def test_a_value_comes_with_the_revision_that_watch_would_remember() -> None:
    driver = Driver()
    driver.run(c.Set(b"j", b""), c.Set(b"k", b"v"))
    assert driver.read(c.GetVersioned(b"k"), c.Revisions((b"k",))) == [[b"v", 2], [2]]
    assert driver.read(c.GetVersioned(b"none")) == [None]


def test_only_the_first_of_two_equal_compare_and_sets_is_done() -> None:
    driver = Driver()
    assert driver.one(c.CompareAndSet(b"k", 0, b"1")) == 1
    assert driver.run(c.CompareAndSet(b"k", 1, b"2"), c.CompareAndSet(b"k", 1, b"3")) == [2, None]
    assert driver.one(c.GetVersioned(b"k")) == [b"2", 2]


def test_revision_zero_sets_only_a_key_that_is_absent() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"v", SOON))
    assert driver.one(c.CompareAndSet(b"k", 0, b"w")) is None
    driver.now_ms += 50
    assert driver.one(c.CompareAndSet(b"k", 0, b"w")) == 3


def test_a_compare_and_set_drops_the_expiry_or_keeps_it_or_gives_another() -> None:
    driver = Driver()
    for command, left in (
        (c.CompareAndSet(b"k", 1, b"w"), -1),
        (c.CompareAndSet(b"k", 1, b"w", keep_ttl=True), 50),
        (c.CompareAndSet(b"k", 1, b"w", Expiry(70, relative=True)), 70),
        (c.CompareAndSet(b"k", 1, b"w", Expiry(1, relative=False)), -2),
    ):
        driver = Driver()
        driver.run(c.Set(b"k", b"v", SOON))
        assert driver.run(command, c.Ttl(b"k", seconds=False)) == [2, left]
