"""Snapshots: the same state elsewhere, whatever happens on the way."""

from collections.abc import Callable

import pytest

from machine.driving import GROUP, MEMBERS, START_MS, Driver, dump
from pnyx.consensus.ready import Mark
from pnyx.ids import Index, Term
from pnyx.machine import commands as c, rows
from pnyx.machine.commands import Expiry
from pnyx.machine.group import Group
from pnyx.storage.memory import MemorySpace

LATER = Expiry(100, relative=True)
MARK = Mark(Index(40), Term(3))


def filled(count: int = 30) -> Driver:
    driver = Driver()
    driver.group.membership = MEMBERS
    for n in range(count):
        driver.run(c.Set(b"k%d" % n, b"%d" % n, LATER if n % 3 == 0 else None))
    return driver


def streamed(driver: Driver) -> list[tuple[bytes, bytes]]:
    view = driver.group.view()
    try:
        return list(view.rows())
    finally:
        view.close()


def install(group: Group, stream: list[tuple[bytes, bytes]], mark: Mark = MARK) -> None:
    group.begin_install()
    for start in range(0, len(stream), 7):
        group.install_rows(stream[start : start + 7])
    group.finish_install(mark, MEMBERS)


def without_prefix(space: MemorySpace) -> list[tuple[bytes, bytes]]:
    return [(key[8:], row) for key, row in dump(space)[1:]]


def test_an_installed_snapshot_equals_the_replayed_log() -> None:
    source, copy = filled(), Driver()
    copy.run(c.Set(b"other", b"gone after the install", LATER))
    install(copy.group, streamed(source), Mark(source.group.applied.index, Term(1)))
    assert without_prefix(copy.space) == without_prefix(source.space)  # type: ignore[arg-type]
    assert copy.group.applied == source.group.applied == copy.group.installed
    for driver in (source, copy):
        driver.now_ms += 100
    more = (c.Set(b"more", b"1"), c.IncrBy(b"k1", 1), c.KeyspaceStats(), c.Revisions((b"k1",)))
    assert copy.run(*more) == source.run(*more)
    assert without_prefix(copy.space) == without_prefix(source.space)  # type: ignore[arg-type]


def test_a_view_does_not_see_what_happens_after_it() -> None:
    driver = filled()
    before = streamed(driver)
    view = driver.group.view()
    driver.run(c.FlushAll(), c.Set(b"late", b"1"))
    assert list(view.rows()) == before
    assert (view.mark, view.membership) == (Mark(Index(30), Term(1)), MEMBERS)
    view.close()
    assert len(streamed(driver)) == 2


def test_rows_under_way_show_nowhere_and_an_abort_leaves_the_state() -> None:
    source, target = filled(), Driver()
    target.run(c.Set(b"mine", b"1"))
    target.group.begin_install()
    target.group.install_rows(streamed(source))
    assert target.run(c.Keys(b"*"), c.DbSize()) == [[b"mine"], 1]
    target.group.abort_install()
    again = Driver(target.space)
    assert again.read(c.Keys(b"*"), c.DbSize()) == [[b"mine"], 1]
    assert len(dump(target.space)) == 2


def test_rows_of_an_install_given_up_are_not_in_the_next_one() -> None:
    source, target = filled(), Driver()
    target.group.begin_install()
    target.group.install_rows([*streamed(source), (rows.KIND_DATA + bytes(8) + b"stray", b"")])
    install(target.group, streamed(source))
    assert without_prefix(target.space) == without_prefix(source.space)  # type: ignore[arg-type]


def test_the_state_before_an_install_leaves_nothing_behind() -> None:
    source, target = filled(), filled(25)
    for round_ in range(3):
        install(target.group, streamed(source), Mark(Index(40 + round_), Term(3)))
        assert len(dump(target.space)) == len(streamed(source))
    assert Group(target.space, GROUP).applied == Mark(Index(42), Term(3))


def test_a_crash_at_any_write_of_an_install_leaves_the_old_state_or_the_new() -> None:
    source, target = filled(), Driver()
    target.run(c.Set(b"mine", b"1"))
    space = target.space
    assert isinstance(space, MemorySpace)
    space.flush()
    install(target.group, streamed(source))
    seen: list[object] = []
    for kept in range(8):
        again = Driver(space.crash(kept))
        seen.append((again.group.applied.index, again.read(c.DbSize())))
    assert set(map(repr, seen)) == {repr((1, [1])), repr((40, [30]))}
    assert seen[0] == (1, [1])
    assert seen[-1] == (40, [30])


def without_totals(group: Group, stream: list[tuple[bytes, bytes]]) -> None:
    group.begin_install()
    group.install_rows(stream[1:])
    group.finish_install(MARK, MEMBERS)


def of_the_past(group: Group, stream: list[tuple[bytes, bytes]]) -> None:
    group.begin_install()
    group.install_rows(stream)
    group.finish_install(group.applied, MEMBERS)


def never_begun(group: Group, stream: list[tuple[bytes, bytes]]) -> None:
    group.install_rows(stream)


@pytest.mark.parametrize("wrongly", [without_totals, of_the_past, never_begun])
def test_an_install_against_the_rules_is_stopped_before_it_counts(
    wrongly: Callable[[Group, list[tuple[bytes, bytes]]], None],
) -> None:
    source, target = filled(), filled(3)
    with pytest.raises(AssertionError):
        wrongly(target.group, streamed(source))
    assert Group(target.space, GROUP).applied.index == 3
    assert target.group.clock_ms == START_MS
