"""S2: a crash at any moment of the disk's history loses nothing that was acknowledged."""

from dataclasses import dataclass
from functools import cache

import pytest

from pnyx.ids import GroupId, Index
from pnyx.prng import Prng
from pnyx.storage.recovery import Recovered
from pnyx.storage.simulated import MemoryFiles, Traced
from smalllog import Ledger, next_batch, open_log


@dataclass(frozen=True)
class Moment:
    """From this length of the trace on, `acknowledged` was promised; `intended` may be there."""

    begins: int
    acknowledged: Ledger
    intended: Ledger


@dataclass(frozen=True)
class Story:
    trace: tuple[Traced, ...]
    moments: tuple[Moment, ...]

    def at(self, length: int) -> Moment:
        return [moment for moment in self.moments if moment.begins <= length][-1]


@cache
def story(seed: int, batches: int = 24) -> Story:
    """A log's whole life: starts, switches, compaction, removal of segments."""
    prng, files, ledger, moments = Prng(seed), MemoryFiles(), Ledger(), []
    moments.append(Moment(0, ledger.copy(), ledger.copy()))
    log, _ = open_log(files)
    for number in range(batches):
        if number % 9 == 8:
            log, _ = open_log(files, ledger.compacted(), seed=number)
        batch = next_batch(prng, ledger)
        before = ledger.copy()
        ledger.take(batch)
        moments.append(Moment(len(files.trace), before, ledger.copy()))
        log.append(batch)
        moments.append(Moment(len(files.trace), ledger.copy(), ledger.copy()))
        log.remove_segments()
        if number % 5 == 0:
            log.make_spare()
    return Story(tuple(files.trace), tuple(moments))


def durable_index(moment: Moment) -> dict[GroupId, Index]:
    """A mark is written only once the space has what it covers."""
    return moment.acknowledged.compacted() | moment.intended.compacted()


def check(moment: Moment, recovered: Recovered) -> None:
    applied = durable_index(moment)
    assert any(
        ledger.is_told_by(recovered, applied) for ledger in (moment.acknowledged, moment.intended)
    ), "a crash lost or invented something"


@pytest.mark.parametrize("seed", range(6))
def test_no_crash_loses_an_acknowledged_entry_or_vote(seed: int) -> None:
    """Every prefix of the trace, and for each some of the ways in which unsynced sectors end."""
    whole, prng, disk = story(seed), Prng(seed + 100), MemoryFiles()
    for length in range(len(whole.trace) + 1):
        if length:
            disk.again(whole.trace[length - 1])
        moment = whole.at(length)
        for _ in range(3):
            _, recovered = open_log(disk.crash(prng), durable_index(moment))
            check(moment, recovered)


def test_a_killed_process_may_find_the_batch_that_was_not_synced() -> None:
    """The sometimes beside the always: both sides of an unacknowledged batch are reached."""
    whole, disk, found = story(1), MemoryFiles(), set()
    prng = Prng(5)
    for step in whole.trace:
        disk.again(step)
        moment = whole.at(len(disk.trace))
        if moment.acknowledged == moment.intended:
            continue
        for left in (disk.copy(), disk.crash(prng)):
            _, recovered = open_log(left, durable_index(moment))
            check(moment, recovered)
            found.add(moment.intended.is_told_by(recovered, durable_index(moment)))
    assert found == {True, False}


@pytest.mark.parametrize("seed", range(4))
def test_what_a_start_has_found_survives_any_later_crash(seed: int) -> None:
    """Kill -9 before the sync, a start that speaks, then the power goes."""
    whole, prng, disk = story(seed), Prng(seed), MemoryFiles()
    for length, step in enumerate(whole.trace, start=1):
        disk.again(step)
        moment = whole.at(length)
        killed = disk.copy()
        _, first = open_log(killed, durable_index(moment))
        _, second = open_log(killed.crash(prng), durable_index(moment), seed=9)
        assert first.groups == second.groups
        assert first.formed == second.formed


@pytest.mark.parametrize("seed", range(3))
def test_a_crash_in_the_middle_of_a_start_changes_nothing(seed: int) -> None:
    whole, prng = story(seed), Prng(seed)
    for length in range(0, len(whole.trace), 7):
        disk = MemoryFiles()
        for step in whole.trace[:length]:
            disk.again(step)
        moment = whole.at(length)
        start = disk.crash(prng)
        recording = start.copy()
        open_log(recording, durable_index(moment))
        for step in recording.trace:
            start.again(step)
            _, recovered = open_log(start.crash(prng), durable_index(moment), seed=3)
            check(moment, recovered)
