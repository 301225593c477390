"""What a node may rely on from its write-ahead log while the disk behaves."""

from dataclasses import asdict
from pathlib import Path

import pytest

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Entry, HardState, Mark
from pnyx.errors import LostDisk, WrongDirectory
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.storage.directory import DiskFiles
from pnyx.storage.files import Zeros
from pnyx.storage.owner import Identity
from pnyx.storage.simulated import MemoryFiles, Step
from pnyx.storage.wal import BULKY_BYTES, RESERVE_SEGMENTS, Wal, WalSettings
from smalllog import BLOCK, IDENTITY, SETTINGS, entry, nonces, open_log, write

ONE = GroupId(1)


def test_a_restart_finds_entries_term_vote_and_formation() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    formed = Formed((("n1", NodeId(5)), ("n2", NodeId(6))), complete=True)
    log.append([write(1, entry(1), entry(2), vote=(3, 5))], formed)

    _, recovered = open_log(files)

    assert recovered.formed == formed
    assert recovered.groups[ONE].hard_state == HardState(Term(3), NodeId(5))
    assert recovered.groups[ONE].entries == [entry(1), entry(2)]


def test_rewriting_an_index_cuts_the_log_there() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, *[entry(i) for i in range(1, 6)])])
    log.append([write(1, entry(3, term=2))])

    _, recovered = open_log(files)

    assert recovered.groups[ONE].entries == [entry(1), entry(2), entry(3, term=2)]


def test_compacting_keeps_the_entries_above_the_mark() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, *[entry(i) for i in range(1, 6)])])
    log.append([write(1, compacted=(3, 1))])

    _, recovered = open_log(files, {ONE: Index(3)})

    assert recovered.groups[ONE].compacted == Mark(Index(3), Term(1))
    assert recovered.groups[ONE].entries == [entry(4), entry(5)]


@pytest.mark.parametrize(("term", "kept"), [(1, [entry(4), entry(5)]), (2, [])])
def test_a_snapshot_keeps_only_a_suffix_that_agrees(term: int, kept: list[Entry]) -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, *[entry(i) for i in range(1, 6)])])
    log.append([write(1, restart=(3, term))])

    _, recovered = open_log(files, {ONE: Index(3)})

    assert recovered.groups[ONE].compacted == Mark(Index(3), Term(term))
    assert recovered.groups[ONE].entries == kept


def test_one_batch_is_one_sync_whatever_it_holds() -> None:
    log, _ = open_log(MemoryFiles())
    before = log.counters.syncs
    log.append([write(1, entry(1)), write(2, entry(1), vote=(1, 1)), write(7, vote=(2, None))])
    assert log.counters.syncs == before + 1


def test_no_sector_is_written_twice() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    for i in range(1, 40):
        log.append([write(1, entry(i, payload=b"x" * (i * 200)))])
    log, _ = open_log(files)

    written: set[tuple[str, int]] = set()
    names = {step.name: step.to for step in files.trace if step.step is Step.RENAME}
    for step in files.trace:
        if step.step is Step.WRITE:
            name = names.get(step.name, step.name)
            blocks = {(name, step.offset + i) for i in range(0, len(step.content), BLOCK)}
            assert not blocks & written
            written |= blocks


def test_every_start_makes_the_last_batch_durable_again_before_it_returns() -> None:
    """A kill -9 between write and sync leaves a batch that a power cut can still take away."""
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, entry(1))])
    killed = files.copy()
    open_log(killed)
    newest = max(killed.names())
    assert b"entry 1" in killed.read(newest, 0, killed.size(newest))
    assert killed.trace[-1].step is Step.SYNC_DIRECTORY


def test_a_vote_outlives_the_segment_it_was_written_in() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(2, vote=(9, 4))])
    _fill(log, batches=30)
    log.append([write(1, compacted=(30, 1))])
    assert log.remove_segments() > 2

    _, recovered = open_log(files, {ONE: Index(30)})

    assert recovered.groups[GroupId(2)].hard_state == HardState(Term(9), NodeId(4))


def test_a_segment_stays_while_one_group_wants_an_entry_in_it() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(2, entry(1))])
    _fill(log, batches=30)
    log.append([write(1, compacted=(30, 1))])
    assert not log.wants_removal()
    assert log.lagging(segment_count=2) == (GroupId(2),)

    log.append([write(2, compacted=(1, 1))])

    assert log.lagging(segment_count=2) == ()
    assert log.remove_segments() > 2
    assert log.segment_count == len(files.names())


def test_an_entry_keeps_no_segment_in_which_all_before_it_was_compacted() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(2, entry(1))])
    log.append([write(2, compacted=(1, 1))])
    _fill(log, batches=30)
    log.append([write(2, entry(2))])
    log.append([write(1, compacted=(30, 1))])
    assert log.remove_segments() > 2


def test_the_repeated_batch_does_not_keep_the_segment_it_came_from() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    _fill(log, batches=3)
    log, _ = open_log(files)
    log.append([write(1, compacted=(2, 1))])
    assert log.remove_segments() == 1

    _, recovered = open_log(files, {ONE: Index(2)})

    assert recovered.groups[ONE].entries == [entry(3)]


def test_a_batch_larger_than_a_segment_gets_one_of_its_own() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    huge = entry(1, payload=b"h" * (3 * SETTINGS.segment_bytes))
    log.append([write(1, huge)])
    log.append([write(1, entry(2))])

    _, recovered = open_log(files)

    assert recovered.groups[ONE].entries == [huge, entry(2)]


def test_a_spare_made_ahead_is_used_when_the_segment_is_full() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.make_spare()
    creations = [step for step in files.trace if step.step is Step.CREATE]
    _fill(log, batches=6)
    assert [step for step in files.trace if step.step is Step.CREATE] == creations
    assert not any(name.endswith(".tmp") for name in files.names())


class _Watched(DiskFiles):
    """A directory that remembers how the zeros of its files came about."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.zeros: list[Zeros] = []

    def create(self, name: str, size: int, zeros: Zeros = Zeros.AT_ONCE) -> None:
        super().create(name, size, zeros)
        self.zeros.append(zeros)


def test_after_large_batches_the_next_segment_is_reserved_and_holds_what_is_written(
    tmp_path: Path,
) -> None:
    files = _Watched(tmp_path / "wal")
    settings = WalSettings(segment_bytes=1 << 20, first_segment_bytes=1 << 20)
    log, _ = Wal.open(files, IDENTITY, settings, {}, nonces(1))
    large = [entry(index, payload=bytes([index]) * 2 * BULKY_BYTES) for index in range(1, 4)]
    for each in large:
        log.append([write(1, each)])
    log.make_spare()
    assert files.read("spare-1.tmp", 0, 1 << 20) == bytes(1 << 20)
    small = [entry(index) for index in range(4, 290)]
    for each in small:
        log.append([write(1, each)])
    log.make_spare()
    assert files.zeros == [Zeros.AT_ONCE, Zeros.RESERVED, Zeros.SPREAD]

    _, recovered = Wal.open(files, IDENTITY, settings, {}, nonces(2))

    assert recovered.groups[ONE].entries == large + small


def test_a_few_large_batches_among_many_small_ones_are_most_of_the_bytes(tmp_path: Path) -> None:
    files = _Watched(tmp_path / "wal")
    settings = WalSettings(segment_bytes=1 << 20, first_segment_bytes=1 << 20)
    log, _ = Wal.open(files, IDENTITY, settings, {}, nonces(1))
    for index in range(1, 41):
        log.append([write(1, entry(index))])
    log.make_spare()

    log.append([write(1, entry(41, payload=bytes(8 * BULKY_BYTES)))])
    log.make_spare()

    assert files.zeros == [Zeros.AT_ONCE, Zeros.SPREAD, Zeros.RESERVED]


@pytest.mark.parametrize("rolled", [False, True])
def test_a_log_that_was_cut_among_entries_which_are_gone_is_read_back(rolled: bool) -> None:
    """Their segment is gone since a later mark covers them: swarm@multipaxos 25704."""
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, entry(1), entry(2), entry(3, term=2)), write(2, entry(1))])
    end = _roll(log, 1)
    log.append([write(1, vote=(3, 5), accepted=(3, 2)), write(2, entry(end + 1))])
    kept = end
    if rolled:
        end = _roll(log, end + 1)
    log.append([write(1, compacted=(2, 1)), write(2, compacted=(kept, 1))])
    assert log.remove_segments() > 0

    for _ in range(3):
        log, recovered = open_log(files, {ONE: Index(2), GroupId(2): Index(kept)})
        found = recovered.groups[ONE]
        assert (found.accepted, found.compacted, found.entries) == (3, Mark(Index(2), Term(1)), [])
        assert recovered.groups[GroupId(2)].entries[0] == entry(kept + 1)
    log.append([write(1, entry(3, term=3))])

    _, recovered = open_log(files, {ONE: Index(2), GroupId(2): Index(kept)})

    assert recovered.groups[ONE].entries == [entry(3, term=3)]


def test_a_destroyed_group_binds_whoever_recreates_it() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, entry(1), vote=(4, 8))])
    log.append([write(2, entry(1))], destroyed=[ONE])
    log, recovered = open_log(files)
    assert recovered.destroyed == {ONE: HardState(Term(4), NodeId(8))}

    log.append([write(1, entry(1, term=5))])

    _, recovered = open_log(files)
    assert recovered.groups[ONE].hard_state == HardState(Term(4), NodeId(8))
    assert recovered.groups[ONE].entries == [entry(1, term=5)]


def test_a_started_node_whose_log_is_gone_does_not_vote_as_a_new_one() -> None:
    started = Identity(IDENTITY.cluster, IDENTITY.label, IDENTITY.node, started=True)
    with pytest.raises(LostDisk, match="log is gone"):
        Wal.open(MemoryFiles(), started, SETTINGS, {}, nonces(1))


def test_a_space_behind_the_logs_start_is_a_lost_disk() -> None:
    """The bug zoo's A15: the entries in between are nowhere."""
    files = MemoryFiles()
    log, _ = open_log(files)
    log.append([write(1, entry(1), entry(2), entry(3), compacted=(2, 1))])
    with pytest.raises(LostDisk) as lost:
        open_log(files, {ONE: Index(1)})
    assert "starts after entry 2" in lost.value.cause


def test_the_log_of_another_node_is_refused_and_named() -> None:
    files = MemoryFiles()
    open_log(files)
    before = {name: files.read(name, 0, files.size(name)) for name in files.names()}
    other = Identity(IDENTITY.cluster, "n2", NodeId(0x777))
    with pytest.raises(WrongDirectory, match="1234") as wrong:
        Wal.open(files, other, SETTINGS, {}, nonces(1))
    assert "777" in wrong.value.cause
    assert before == {name: files.read(name, 0, files.size(name)) for name in files.names()}


def test_space_is_low_before_it_is_gone_and_recovers_by_itself() -> None:
    files = MemoryFiles(capacity_bytes=(RESERVE_SEGMENTS + 2) * SETTINGS.segment_bytes)
    log, _ = open_log(files)
    assert not log.low_space()
    _fill(log, batches=12)
    assert log.low_space()
    log.append([write(1, compacted=(12, 1))])
    log.remove_segments()
    assert not log.low_space()


def _roll(log: Wal, last: int) -> int:
    """Append to group 2, after its entry `last`, until a segment begins; return its newest."""
    before = log.segment_count
    while log.segment_count == before:
        last += 1
        log.append([write(2, entry(last, payload=b"x" * BLOCK))])
    return last


def _fill(log: Wal, batches: int) -> None:
    for i in range(1, batches + 1):
        log.append([write(1, entry(i))])


def test_every_count_of_the_log_only_grows() -> None:
    log, _ = open_log(MemoryFiles())
    last = asdict(log.counters)
    for index in range(1, 30):
        log.append([write(1, entry(index), compacted=(index, 1))])
        log.remove_segments()
        now = asdict(log.counters)
        assert all(now[name] >= last[name] for name in now), now
        last = now
