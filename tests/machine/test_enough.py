"""An entry whose commands look at too much: those behind are told LATER, and do nothing."""

import pytest

from machine.moving import FIRST, SHARD, key_in, same_rows, sequenced, sides
from pnyx.ids import GroupId
from pnyx.machine import commands as c, moving
from pnyx.machine.commands import Expiry
from pnyx.machine.holdings import LATER
from pnyx.machine.moves import MoveBegin
from pnyx.machine.results import OK

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
