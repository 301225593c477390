"""A group as a whole: entries in, results out, one atomic write."""

from hashlib import sha256

import msgspec
import pytest

from machine.driving import GROUP, MEMBERS, START_MS, Driver, dump, pair
from machine.sessions import once
from pnyx.consensus.ready import Entry, EntryKind, Mark
from pnyx.ids import GroupId, Index, Term
from pnyx.machine import commands as c
from pnyx.machine.commands import AnyCommand, Batch, Expiry
from pnyx.machine.group import Group
from pnyx.storage.memory import MemorySpace

LATER = Expiry(100, relative=True)


class CountingSpace(MemorySpace):
    """Counts its writes."""

    writes = 0

    def write(self, rows, drops=()):  # type: ignore[no-untyped-def]
        self.writes += 1
        super().write(rows, drops)


def test_a_new_space_holds_a_group_that_has_applied_nothing() -> None:
    group = Group(MemorySpace(), GROUP)
    assert (group.applied, group.clock_ms, group.membership) == (Mark(), 0, None)
    assert group.read((c.DbSize(), c.Keys(b"*")), 0) is not None
    assert group.next_expiry_ms() is None


def test_entries_applied_together_are_one_write() -> None:
    space = CountingSpace()
    driver = Driver(space)
    results = driver.apply([[c.Set(b"a", b"1")], [c.IncrBy(b"a", 1), c.Get(b"a")], []])
    assert [len(each) for each in results] == [1, 2, 0]
    assert results[1] == [2, b"2"]
    assert (space.writes, driver.group.applied) == (1, Mark(Index(3), Term(1)))


def test_nothing_to_apply_writes_nothing() -> None:
    space = CountingSpace()
    assert Group(space, GROUP).apply([]) == []
    assert space.writes == 0


def test_entries_come_in_order_each_once() -> None:
    driver = Driver()
    driver.run(c.Tick())
    for index in (1, 3):
        with pytest.raises(AssertionError, match="in order, each once"):
            driver.group.apply([pair(index, Batch(START_MS, 1, (c.Tick(),)))])


def test_entries_without_commands_move_the_mark_and_not_the_clock() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1"))
    entries = [
        (Entry(Index(2), Term(2), EntryKind.EMPTY, b""), None),
        (
            Entry(Index(3), Term(2), EntryKind.MEMBERSHIP, msgspec.msgpack.encode(MEMBERS)),
            None,
        ),
    ]
    assert driver.group.apply(entries) == [[], []]
    again = Group(driver.space, GROUP)
    for group in (driver.group, again):
        assert (group.applied, group.membership) == (Mark(Index(3), Term(2)), MEMBERS)
        assert group.clock_ms == START_MS


def test_a_restart_finds_everything_again() -> None:
    driver = Driver()
    driver.run(c.Set(b"a", b"1", LATER), c.Set(b"b", b"2"))
    again = Driver(driver.space)
    assert again.group.clock_ms == START_MS
    assert again.group.next_expiry_ms() == START_MS + 100
    questions = (c.KeyspaceStats(), c.Revisions((b"a", b"b")), c.Ttl(b"a", False))
    assert again.read(*questions) == driver.read(*questions) == [[2, 1], [1, 2], 100]
    again.run(c.Set(b"c", b"3"))
    assert again.read(c.Revisions((b"c",))) == [[3]]


def test_groups_in_one_space_do_not_meet() -> None:
    space = MemorySpace()
    first, second = Group(space, GroupId(1)), Group(space, GroupId(2))
    first.apply([pair(1, Batch(START_MS, 9, (c.Set(b"k", b"1"),)))])
    second.apply([pair(1, Batch(START_MS, 9, (c.Set(b"k", b"2"), c.Set(b"j", b"2"))))])
    first.apply([pair(2, Batch(START_MS, 9, (c.FlushAll(),)))])
    assert first.read((c.Keys(b"*"), c.DbSize()), 0) == Group(MemorySpace(), GROUP).read(
        (c.Keys(b"*"), c.DbSize()), 0
    )
    assert second.read((c.Get(b"k"), c.DbSize()), 0) == [b"2", 2]


@pytest.mark.parametrize(
    "refused",
    [
        c.IncrBy(b"word", 1),
        c.IncrByFloat(b"word", b"1"),
        c.Append(b"word", b"x" * 2_000),
        c.SetRange(b"word", 2_000, b"x"),
        c.SetBit(b"word", 1 << 20, 1),
        c.BitField(b"word", (c.BitStep("set", False, 8, 1 << 20, 1),)),
        c.Rename(b"absent", b"word"),
        c.Copy(b"word", b"word"),
    ],
)
def test_a_refused_command_changes_no_key(refused: AnyCommand) -> None:
    driver = Driver()
    driver.run(c.Set(b"word", b"abc", LATER))
    before = dump(driver.space)[1:]
    answer = driver.one(refused)
    assert isinstance(answer, str)
    assert answer.startswith("-ERR ")
    assert dump(driver.space)[1:] == before


def test_the_bytes_of_a_known_log_never_change() -> None:
    """Replicas of two versions, machines or hash seeds must agree; a new format gets a number."""
    driver = Driver()
    driver.run(c.MSet(tuple((b"key:%d" % n, b"%d" % (n * n)) for n in range(50))))
    driver.run(c.Expire(b"key:7", LATER), c.IncrByFloat(b"key:8", b"0.1"), c.Del((b"key:9",)))
    driver.now_ms += 100
    driver.run(c.Append(b"key:1", b"x"), c.SetBit(b"bits", 77, 1), c.Set(b"e", b"", LATER))
    driver.run(once(1, c.IncrBy(b"n", 1)), once(2, c.Set(b"k", b"v", get=True)))
    driver.run(once(3, c.GetDel(b"key:1"), ack=1), once(4, c.Set(b"long", b"v" * 200)))
    driver.run(once(5, c.GetDel(b"long"), ack=3))
    digest = sha256(repr(dump(driver.space)).encode()).hexdigest()
    assert digest == "9c860e0d0926845282d65b7d28bd051982e055406bd5e19ba31044dcedea51af"


def test_a_crash_after_any_write_leaves_the_state_after_some_entry() -> None:
    batches: list[list[AnyCommand]] = [
        [c.Set(b"a", b"1", LATER), c.Set(b"b", b"2")],
        [c.Rename(b"a", b"c"), c.IncrBy(b"b", 5)],
        [c.FlushAll(), c.Set(b"d", b"4", LATER)],
        [c.Del((b"d",)), c.Append(b"e", b"5")],
    ]
    driver = Driver()
    states = [dump(driver.space)]
    for commands in batches:
        driver.run(*commands)
        states.append(dump(driver.space))
    assert isinstance(driver.space, MemorySpace)
    for kept in range(len(batches) + 1):
        left = driver.space.crash(kept)
        assert dump(left) == states[kept]
        again = Driver(left)
        assert again.group.applied.index == kept
        for commands in batches[kept:]:
            again.run(*commands)
        assert dump(left) == states[-1]
