"""How much an entry looks at: commands behind too much are told LATER, and a sweep ends early."""

from collections.abc import Sequence

import pytest

from machine.driving import START_MS
from machine.moving import FIRST, SHARD, Side, key_in, same_rows, sequenced, sides
from pnyx.ids import GroupId
from pnyx.machine import commands as c, group, moving, transactions
from pnyx.machine.commands import AnyCommand, Expiry
from pnyx.machine.holdings import COPIED, LATER, Holdings, Rows
from pnyx.machine.moves import Chunk, MoveAccept, MoveBegin, MoveChunk
from pnyx.machine.results import OK, Values
from pnyx.machine.rows import KIND_DATA, expiring_row, suffix_of
from pnyx.storage.memory import MemorySpace

LARGE, SMALL = key_in(SHARD), key_in(2)
GROW = c.Append(LARGE, b"v")


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "LOOKED_BYTES_MAX", 1_000)


def test_what_comes_when_an_entry_has_looked_at_enough_is_told_later() -> None:
    side, _ = sides()
    side.tell(c.Set(LARGE, b"v" * 400))
    begin, once = MoveBegin(SHARD, FIRST, GroupId(2)), sequenced(SMALL, 1, c.IncrBy(SMALL, 1))
    told = side.tell_all(GROW, GROW, GROW, GROW, c.Get(LARGE), begin, once, c.Transaction((GROW,)))
    done = told.index(LATER)
    assert 1 <= done <= 3
    assert told[:done] == [400 + at for at in range(1, done + 1)]
    assert told[done:] == [LATER] * (5 - done) + [OK, LATER, LATER], "a move waits for nobody"
    assert side.read(c.Strlen(LARGE)) == 400 + done
    assert side.tell_all(once, once, c.Get(SMALL)) == [1, 1, b"1"], "it was not done, nor kept"
    assert same_rows(side)


def test_reads_of_one_request_that_have_looked_at_enough_are_told_later() -> None:
    side, _ = sides()
    side.tell(c.Set(LARGE, b"v" * 400))
    asked = (c.Strlen(LARGE), c.Ttl(LARGE, seconds=True), c.Exists((LARGE, LARGE)), c.Get(SMALL))
    assert side.group.read(asked, 0) == [400, -1, 2, LATER]
    assert side.group.read(asked[3:], 0) == [None]


@pytest.mark.parametrize(
    "toil", [c.Lcs(SMALL, SMALL, length=True), c.IncrByFloat(SMALL, b"1e99")], ids=["lcs", "float"]
)
def test_what_takes_long_counts_as_if_it_had_looked_at_much(toil: AnyCommand) -> None:
    side, _ = sides()
    side.tell(c.Set(SMALL, b"12345"))
    told = side.tell_all(toil, toil)
    assert told[0] != LATER
    assert told[1] == LATER
    assert same_rows(side)


def test_values_that_are_made_of_nothing_count() -> None:
    side, _ = sides()
    made = [c.SetRange(key_in(SHARD, number), 599, b"x") for number in range(4)]
    assert side.tell_all(*made) == [600, 600, LATER, LATER]
    assert side.read(c.DbSize()) == 2
    assert same_rows(side)


def test_a_transaction_refuses_what_comes_when_it_has_looked_at_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transactions, "TRANSACTION_LOOKED_BYTES_MAX", 1_000)
    side, _ = sides()
    made = tuple(c.SetRange(b"{%s}%d" % (SMALL, number), 599, b"x") for number in range(3))
    done = Values((600, 600, transactions.TRANSACTION_REFUSED))
    assert side.tell_all(c.Transaction(made), c.Get(SMALL)) == [done, LATER]
    assert side.read(c.DbSize()) == 2
    assert same_rows(side)


def test_who_is_behind_puts_what_many_entries_made_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group, "HELD_BYTES_MAX", 1_000)
    writes: list[int] = []
    right = MemorySpace.write

    def write(space: MemorySpace, rows: Rows, drops: Sequence[tuple[bytes, bytes]] = ()) -> None:
        writes.append(len(rows))
        right(space, rows, drops)

    side, _ = sides()
    for number in range(6):
        side.tell(c.SetRange(key_in(SHARD, number), 599, b"x"))
    monkeypatch.setattr(MemorySpace, "write", write)
    assert same_rows(side)
    assert len(writes) == 3


def test_each_entry_begins_anew_also_where_many_are_applied_at_once() -> None:
    side, _ = sides()
    side.tell(c.Set(LARGE, b"v" * 400))
    lengths = [side.tell_all(GROW, GROW, GROW, GROW).index(LATER) for _ in range(5)]
    assert len(set(lengths)) == 1
    assert side.read(c.Strlen(LARGE)) == 400 + sum(lengths)
    assert same_rows(side)


def test_the_first_command_is_done_however_much_was_due_before_it() -> None:
    side, _ = sides()
    for number in range(3):
        side.tell(c.Set(key_in(SHARD, number), b"v" * 600, Expiry(5, relative=True)))
    side.now_ms += 10
    assert side.tell_all(c.IncrBy(SMALL, 1), c.IncrBy(SMALL, 1)) == [1, 2]
    assert side.read(c.DbSize()) == 1


def test_who_is_due_is_found_before_all_that_sleep_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    side, looked, right = Side(2, (2,)), [0], Holdings.sleeps

    def sleeps(held: Holdings, shard: int) -> bool:
        looked[0] += 1
        return right(held, shard)

    keys = sorted(KIND_DATA + suffix_of(b"{%s}%d" % (LARGE, number)) for number in range(2_000))
    rows = tuple((key, expiring_row(1, START_MS + 9_000, b"")) for key in keys)
    side.tell(MoveAccept(SHARD, FIRST, GroupId(1)))
    side.tell(MoveChunk(SHARD, FIRST, Chunk(b"", COPIED, 0, rows)))
    monkeypatch.setattr(Holdings, "sleeps", sleeps)
    for ttl_ms in (5_000, 5):
        side.tell(c.Set(SMALL, b"", Expiry(ttl_ms, relative=True)))
        side.now_ms += 10
        assert side.tell(c.Del((SMALL,))) == (ttl_ms > 10)
        assert side.group.next_expiry_ms() == START_MS + 9_000
    assert looked[0] < 1_000
