"""S4: a disk that fails, is full, takes little at a time or hangs."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from errno import EIO, ENOSPC
from pathlib import Path
from threading import Event

import pytest

from pnyx.consensus.ready import HardState
from pnyx.errors import DiskFailed, NoRoom
from pnyx.ids import GroupId, NodeId, Term
from pnyx.prng import Prng
from pnyx.storage.directory import DiskFiles
from pnyx.storage.simulated import MemoryFiles, Step, failing
from pnyx.storage.wal import Wal
from smalllog import SETTINGS, Ledger, entry, next_batch, open_log, write

ONE = GroupId(1)


@pytest.mark.parametrize("number", [EIO, ENOSPC])
@pytest.mark.parametrize("step", [Step.WRITE, Step.SYNC])
def test_a_failed_write_or_sync_is_final(step: Step, number: int) -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, entry(1))])
    files.before = failing(step, number=number)
    with pytest.raises(DiskFailed):
        log.append([write(1, entry(2))])
    files.before = None

    written = len(files.trace)
    with pytest.raises(DiskFailed):
        log.append([write(1, entry(2))])

    assert len(files.trace) == written, "a retry would prove nothing"
    assert not log.wants_spare()
    assert not log.wants_removal()


@pytest.mark.parametrize("step", [Step.CREATE, Step.RENAME, Step.SYNC, Step.SYNC_DIRECTORY])
def test_any_error_while_switching_segments_is_final(step: Step) -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    _fill_segment(log)
    files.before = failing(step)
    with pytest.raises(DiskFailed):
        log.append([write(1, entry(5))])
    with pytest.raises(DiskFailed):
        log.append([write(1, entry(5))])


@pytest.mark.parametrize("step", [Step.CREATE, Step.WRITE, Step.RENAME, Step.SYNC_DIRECTORY])
def test_an_error_while_opening_is_a_failed_disk_and_the_log_stays(step: Step) -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, entry(1))])
    files.before = failing(step)
    with pytest.raises(DiskFailed):
        open_log(files)
    files.before = None
    assert open_log(files)[1].groups[ONE].entries == [entry(1)]


@pytest.mark.parametrize("step", [Step.WRITE, Step.SYNC, Step.RENAME, Step.SYNC_DIRECTORY])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_acknowledged_before_a_fault_is_lost(step: Step, seed: int) -> None:
    """After a failed sync the pages are dropped, though they could still be read."""
    for count in range(1, 12):
        prng, files, ledger = Prng(seed), MemoryFiles(), Ledger()
        log, _ = open_log(files)
        files.before = failing(step, count)
        for _ in range(20):
            batch = next_batch(prng, ledger)
            intended = ledger.copy()
            intended.take(batch)
            try:
                log.append(batch)
            except DiskFailed:
                applied = intended.compacted()
                _, recovered = open_log(files.crash(prng), applied)
                assert any(one.is_told_by(recovered, applied) for one in (ledger, intended))
                break
            ledger = intended


@pytest.mark.parametrize("most", [1000, 4096, 5000])
def test_short_writes_are_completed(most: int) -> None:
    files = MemoryFiles()
    files.write_bytes_max = most
    log, _ = open_log(files)
    big = entry(1, payload=b"b" * 9000)
    log.append([write(1, big)])
    assert open_log(files)[1].groups[ONE].entries == [big]


def test_a_file_that_takes_nothing_more_has_failed() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    files.write_bytes_max = 0
    with pytest.raises(DiskFailed, match="cannot be written"):
        log.append([write(1, entry(1))])


def test_a_full_disk_is_no_failure_for_a_segment_made_ahead() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    files.capacity_bytes = SETTINGS.segment_bytes + 100
    log.make_spare()
    assert log.low_space()
    assert not any(name.endswith(".tmp") for name in files.names())
    log.append([write(1, entry(1))])

    files.capacity_bytes = 100 * SETTINGS.segment_bytes
    log.make_spare()
    assert not log.low_space()


def test_room_that_comes_back_is_found_though_nobody_writes() -> None:
    """Writes are refused while space is low, so no batch may be needed to find that it is not."""
    files = MemoryFiles()
    log, _ = open_log(files)
    files.capacity_bytes = SETTINGS.segment_bytes + 100
    log.make_spare()
    assert log.low_space()
    assert not log.wants_spare(), "there is no room yet"

    files.capacity_bytes = 100 * SETTINGS.segment_bytes
    assert log.wants_spare()
    log.make_spare()
    assert not log.low_space()
    assert not log.wants_spare()


def test_a_batch_that_finds_no_room_for_its_segment_may_be_appended_again() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    _fill_segment(log)
    files.capacity_bytes = SETTINGS.segment_bytes + 100
    before = log.counters.bytes
    for _ in range(2):
        with pytest.raises(NoRoom, match="no room to grow") as failed:
            log.append([write(1, entry(5), vote=(3, 2))])
        assert "space" in failed.value.cause
    assert (log.counters.bytes, log.low_space()) == (before, True)

    files.capacity_bytes = 100 * SETTINGS.segment_bytes
    log.append([write(1, entry(5), vote=(3, 2))])
    assert not log.low_space(), "no other write is needed to find that out"
    log.append([write(1, entry(6))])
    found = open_log(files.crash(Prng(3)))[1].groups[ONE]
    assert found.entries == [entry(index) for index in range(1, 7)]
    assert found.hard_state == HardState(Term(3), NodeId(2))


def test_a_log_is_opened_on_a_full_disk_once_there_is_room() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, entry(1))])
    files.capacity_bytes = SETTINGS.segment_bytes + 100
    with pytest.raises(NoRoom):
        open_log(files)
    files.capacity_bytes = 100 * SETTINGS.segment_bytes
    assert open_log(files)[1].groups[ONE].entries == [entry(1)]


def test_a_file_for_which_there_is_no_room_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(ENOSPC, "full")

    files = DiskFiles(tmp_path)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="full"):
        files.create("1.tmp", 8192)
    assert files.names() == []


def test_an_append_returns_only_when_a_hung_sync_does() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    reached, release = Event(), Event()
    files.before = _hanging(reached, release)
    with ThreadPoolExecutor(1) as worker:
        appended = worker.submit(log.append, [write(1, entry(1))])
        assert reached.wait(10)
        assert not appended.done()
        lost = files.crash(Prng(3))
        release.set()
        assert appended.result(10) > 0
    assert open_log(lost)[1].groups.keys() <= {ONE}
    assert open_log(files)[1].groups[ONE].entries == [entry(1)]


def test_a_spare_that_is_being_made_holds_up_no_append() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    reached, release = Event(), Event()
    files.before = _hanging(reached, release, step=Step.CREATE)
    with ThreadPoolExecutor(1) as worker:
        made = worker.submit(log.make_spare)
        assert reached.wait(10)
        files.before = None
        for index in range(1, 12):
            log.append([write(1, entry(index))])
        release.set()
        made.result(10)
    assert len(open_log(files)[1].groups[ONE].entries) == 11


def test_the_real_disk_behaves_as_the_simulated_one(tmp_path: Path) -> None:
    real, simulated, prng = DiskFiles(tmp_path / "wal"), MemoryFiles(), Prng(4)
    ledger = Ledger()
    logs = [open_log(files)[0] for files in (real, simulated)]
    for number in range(30):
        batch = next_batch(prng, ledger)
        ledger.take(batch)
        for log in logs:
            log.append(batch)
            if number % 6 == 0:
                log.make_spare()
            log.remove_segments()
    assert [(name, real.size(name)) for name in real.names()] == [
        (name, simulated.size(name)) for name in simulated.names()
    ]
    for name in real.names():
        assert real.read(name, 0, real.size(name)) == simulated.read(name, 0, real.size(name))
    _, recovered = open_log(real, ledger.compacted())
    assert ledger.is_told_by(recovered, {})


def _fill_segment(log: Wal) -> None:
    for index in range(1, 5):
        log.append([write(1, entry(index))])


def _hanging(reached: Event, release: Event, step: Step = Step.SYNC) -> Callable[[Step, str], None]:
    def before(now: Step, name: str) -> None:
        if now is step:
            reached.set()
            assert release.wait(10)

    return before
