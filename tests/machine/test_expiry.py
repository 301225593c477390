"""Expiry by committed clock: agreed, never undone, counted from the stamp."""

import pytest

from machine.driving import START_MS, Driver
from pnyx.machine import commands as c
from pnyx.machine.commands import Condition, Expiry
from pnyx.machine.keyspace import SWEEP_COUNT_MAX

SOON = Expiry(100, relative=True)


def test_a_key_is_gone_at_its_time_and_not_before() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", SOON))
    driver.now_ms += 99
    assert driver.run(c.Get(b"k"), c.Ttl(b"k", False)) == [b"1", 1]
    driver.now_ms += 1
    assert driver.run(c.Get(b"k"), c.Ttl(b"k", False), c.DbSize()) == [None, -2, 0]


def test_committed_time_never_goes_back() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", SOON))
    driver.now_ms += 100
    driver.run(c.Tick())
    driver.now_ms -= 10_000
    assert driver.run(c.Set(b"j", b"1", SOON), c.Get(b"k"), c.Ttl(b"j", False)) == ["OK", None, 100]
    assert driver.group.clock_ms == START_MS + 100


def test_a_read_that_meets_a_key_due_by_estimate_only_is_left_to_the_log() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", SOON), c.Set(b"j", b"2"))
    due = START_MS + 100
    assert driver.read(c.Get(b"k"), c.Ttl(b"k", False), now_ms=due - 1) == [b"1", 1]
    for command in (
        c.Get(b"k"),
        c.Exists((b"j", b"k")),
        c.Keys(b"*"),
        c.Scan(0),
        c.Ttl(b"k", True),
    ):
        assert driver.read(command, now_ms=due) is None
    assert driver.read(c.Get(b"j"), now_ms=due) == [b"2"]
    driver.now_ms = due
    driver.run(c.Tick())
    assert driver.read(c.Get(b"k"), now_ms=due - 50) == [None]


def test_a_reader_with_a_slow_clock_reads_at_the_committed_one() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", SOON))
    assert driver.read(c.Ttl(b"k", False), now_ms=START_MS - 1_000) == [100]
    assert driver.read(c.Ttl(b"k", False), now_ms=START_MS + 30) == [70]


def test_an_expire_into_the_past_deletes() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1"), c.Set(b"j", b"1"))
    assert driver.run(c.Expire(b"k", Expiry(-1, relative=True)), c.Get(b"k")) == [1, None]
    assert driver.run(c.Expire(b"j", Expiry(START_MS, relative=False)), c.DbSize()) == [1, 0]
    assert driver.one(c.Expire(b"j", SOON)) == 0


@pytest.mark.parametrize(
    ("present", "conditions", "wanted", "answer"),
    [
        (None, (Condition.ABSENT,), 50, 1),
        (100, (Condition.ABSENT,), 50, 0),
        (None, (Condition.PRESENT,), 50, 0),
        (100, (Condition.PRESENT,), 50, 1),
        (None, (Condition.GREATER,), 500, 0),
        (100, (Condition.GREATER,), 100, 0),
        (100, (Condition.GREATER,), 101, 1),
        (None, (Condition.LESS,), 500, 1),
        (100, (Condition.LESS,), 100, 0),
        (100, (Condition.LESS,), 99, 1),
        (100, (Condition.PRESENT, Condition.GREATER), 99, 0),
        (None, (Condition.PRESENT, Condition.LESS), 99, 0),
    ],
)
def test_expire_conditions_compare_with_the_present_expiry(
    present: int | None, conditions: tuple[Condition, ...], wanted: int, answer: int
) -> None:
    driver = Driver()
    expiry = None if present is None else Expiry(present, relative=True)
    driver.run(c.Set(b"k", b"1", expiry))
    assert driver.one(c.Expire(b"k", Expiry(wanted, relative=True), conditions)) == answer
    before = -1 if present is None else present
    assert driver.one(c.Ttl(b"k", False)) == (wanted if answer else before)


def test_times_round_to_seconds_as_in_redis() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", Expiry(1_499, relative=True)))
    assert driver.run(c.Ttl(b"k", True), c.Ttl(b"k", True, absolute=True)) == [1, 1_001]
    driver.run(c.Set(b"k", b"1", Expiry(1_500, relative=True)))
    assert driver.run(c.Ttl(b"k", True), c.Ttl(b"k", False, absolute=True)) == [2, START_MS + 1_500]


def test_getex_sets_removes_and_deletes() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1"))
    assert driver.run(c.GetEx(b"k", SOON), c.Ttl(b"k", False)) == [b"1", 100]
    assert driver.run(c.GetEx(b"k"), c.Ttl(b"k", False)) == [b"1", 100]
    assert driver.run(c.GetEx(b"k", persist=True), c.Ttl(b"k", False)) == [b"1", -1]
    assert driver.run(c.GetEx(b"k", Expiry(1, relative=False)), c.Get(b"k")) == [b"1", None]


def test_persist_keeps_a_key_beyond_its_time() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", SOON))
    assert driver.run(c.Persist(b"k"), c.Persist(b"k"), c.Persist(b"absent")) == [1, 0, 0]
    driver.now_ms += 1_000
    assert driver.run(c.Get(b"k"), c.KeyspaceStats()) == [b"1", [1, 0]]


def test_a_relative_expiry_beyond_all_time_ends_at_its_end() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1", Expiry((1 << 63) - 1, relative=True)))
    assert driver.one(c.Ttl(b"k", False, absolute=True)) == (1 << 63) - 1


def test_an_entry_sweeps_a_bounded_number_of_due_keys_earliest_first() -> None:
    driver = Driver()
    count = 2 * SWEEP_COUNT_MAX + 5
    driver.run(*[c.Set(b"k%d" % n, b"", Expiry(100 + n, relative=True)) for n in range(count)])
    assert driver.group.next_expiry_ms() == START_MS + 100
    driver.now_ms += 1_000
    assert driver.run(c.Tick(), c.KeyspaceStats()) == ["OK", [count - 20, count - 20]]
    assert driver.group.next_expiry_ms() == START_MS + 120
    driver.run(c.Tick())
    driver.run(c.Tick())
    assert driver.group.next_expiry_ms() is None


def test_due_keys_that_were_not_swept_are_gone_for_every_command() -> None:
    driver = Driver()
    count = SWEEP_COUNT_MAX + 5
    driver.run(*[c.Set(b"k%d" % n, b"", Expiry(100 + n, relative=True)) for n in range(count)])
    driver.now_ms += 1_000
    driver.run(c.Tick())
    last = b"k%d" % (count - 1)
    assert driver.read(c.Keys(b"*"), c.Get(last), c.RandomKey(7), c.DbSize()) == [[], None, None, 5]
    assert driver.run(c.SetNx(last, b"2"), c.Ttl(last, False)) == [1, -1]


def test_the_next_expiry_follows_overwrites_and_deletions() -> None:
    driver = Driver()
    driver.run(*[c.Set(b"k%d" % n, b"", Expiry(n, relative=True)) for n in (10, 20, 30)])
    driver.run(c.Set(b"k10", b""))
    assert driver.group.next_expiry_ms() == START_MS + 20
    driver.run(c.Del((b"k20",)), c.Expire(b"k30", Expiry(5, relative=True)))
    assert driver.group.next_expiry_ms() == START_MS + 5
    driver.run(c.FlushAll())
    assert driver.group.next_expiry_ms() is None
