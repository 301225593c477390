"""S1: whatever happens to the bytes of a log, recovery tells the truth or says where it cannot."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import pytest

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Mark
from pnyx.errors import LostDisk
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.prng import Prng
from pnyx.storage.recovery import Verdict, recover
from pnyx.storage.simulated import SECTOR_BYTES, MemoryFiles
from smalllog import BLOCK, IDENTITY, Applied, Ledger, entry, next_batch, open_log, write

BATCHES: Final = 20


@dataclass(frozen=True)
class Log:
    files: MemoryFiles
    whole: Ledger
    without_last: Ledger
    """What is left if the last batch is taken for a tear."""


@cache
def small_log(seed: int) -> Log:
    """20 batches of 3 groups in several segments, two starts among them."""
    prng, files, ledger = Prng(seed), MemoryFiles(), Ledger()
    log, _ = open_log(files)
    before = ledger
    for number in range(BATCHES):
        if number in {8, 14}:
            log, _ = open_log(files, ledger.compacted(), seed=number)
        before, formed = ledger.copy(), None
        if number in {0, 1}:
            formed = Formed((("n1", NodeId(5)), ("n2", NodeId(6))), complete=number == 1)
        batch = next_batch(prng, ledger)
        ledger.take(batch, formed)
        log.append(batch, formed)
    assert len(files.names()) >= 4
    return Log(files, ledger, before)


def check(log: Log, damaged: MemoryFiles, applied: Applied) -> Verdict:
    """Recover and compare; return how the worst batch was judged."""
    found = recover(damaged, IDENTITY.cluster, IDENTITY.node, applied)
    verdicts = {decision.verdict for decision in found.recovered.decisions}
    if found.lost is not None:
        assert "segment 0" in found.lost.effect
        assert "offset" in found.lost.effect
        assert found.lost.cause
        assert Verdict.LOST in verdicts
        return Verdict.LOST
    if log.whole.is_told_by(found.recovered, applied):
        return Verdict.IGNORED if Verdict.IGNORED in verdicts else Verdict.VALID
    assert log.without_last.is_told_by(found.recovered, applied), "wrong bytes were believed"
    return Verdict.TORN


def blocks(files: MemoryFiles) -> Iterator[tuple[str, int]]:
    for name in files.names():
        yield from ((name, offset) for offset in range(0, files.size(name), BLOCK))


def covered(files: MemoryFiles) -> list[tuple[str, int]]:
    """The bytes that say something: segment headers, and batches up to their padding."""
    found = []
    for name, offset in blocks(files):
        block = files.read(name, offset, BLOCK)
        length = 72 if offset == 0 else 0
        if block.startswith(b"pnyx bat"):
            length = 48 + int.from_bytes(block[24:32], "little")
        found += [(name, offset + at) for at in range(length)]
    return found


def flip(files: MemoryFiles, place: tuple[str, int]) -> None:
    name, offset = place
    files.damage(name, offset, bytes([files.read(name, offset, 1)[0] ^ 0x5A]))


def flips(log: Log, applied: Applied, step: int) -> set[Verdict]:
    """Flip every `step`-th byte that says something, each alone."""
    verdicts = set()
    for place in covered(log.files)[::step]:
        flip(log.files, place)
        verdicts.add(check(log, log.files, applied))
        flip(log.files, place)
    return verdicts


def test_the_undamaged_log_is_whole() -> None:
    for seed in range(5):
        log = small_log(seed)
        assert check(log, log.files, log.whole.compacted()) is Verdict.VALID


def test_a_flipped_byte_of_a_header_or_record_is_never_believed() -> None:
    """A sample; the slow test below takes every byte."""
    log = small_log(1)
    verdicts = flips(log, log.whole.compacted(), step=11)
    assert verdicts >= {Verdict.LOST, Verdict.TORN, Verdict.VALID}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_no_flipped_byte_is_ever_believed(seed: int) -> None:
    log = small_log(seed)
    assert Verdict.LOST in flips(log, log.whole.compacted(), step=1)


@pytest.mark.slow
def test_flipped_bytes_of_an_applied_log_are_ignored() -> None:
    log = small_log(1)
    assert Verdict.IGNORED in flips(log, log.whole.last(), step=3)


def test_a_flipped_byte_of_padding_changes_nothing() -> None:
    """All blocks at once, byte by byte: one that mattered would show all the same."""
    log = small_log(1)
    meaning = set(covered(log.files))
    for at in range(BLOCK):
        places = [(name, offset + at) for name, offset in blocks(log.files)]
        places = [place for place in places if place not in meaning]
        if places and (at % 8 == 0 or at < 128):
            for place in places:
                flip(log.files, place)
            assert check(log, log.files, log.whole.compacted()) is Verdict.VALID
            for place in places:
                flip(log.files, place)


@pytest.mark.parametrize("seed", range(3))
def test_a_zeroed_sector_is_never_believed(seed: int) -> None:
    log = small_log(seed)
    verdicts = set()
    for name in log.files.names():
        for offset in range(0, log.files.size(name), SECTOR_BYTES):
            old = log.files.read(name, offset, SECTOR_BYTES)
            log.files.damage(name, offset, bytes(SECTOR_BYTES))
            verdicts.add(check(log, log.files, log.whole.compacted()))
            log.files.damage(name, offset, old)
    assert Verdict.LOST in verdicts


@pytest.mark.parametrize("seed", range(2))
def test_a_block_in_the_place_of_another_is_never_believed(seed: int) -> None:
    """Swapped within a segment, and a block of an older segment in its place."""
    log = small_log(seed)
    places = [place for place in blocks(log.files) if log.files.read(*place, BLOCK).strip(b"\0")]
    for number, one in enumerate(places):
        for other in places[:number]:
            old, new = log.files.read(*one, BLOCK), log.files.read(*other, BLOCK)
            log.files.damage(*one, new)
            check(log, log.files, log.whole.compacted())
            log.files.damage(*other, old)
            check(log, log.files, log.whole.compacted())
            log.files.damage(*one, old)
            log.files.damage(*other, new)


@pytest.mark.parametrize("seed", range(3))
def test_a_dropped_block_is_never_believed(seed: int) -> None:
    """The rest of the segment moves up; or only zeros are left where the block was."""
    log = small_log(seed)
    for name, offset in blocks(log.files):
        content = log.files.read(name, 0, log.files.size(name))
        shifted = content[:offset] + content[offset + BLOCK :] + bytes(BLOCK)
        for damaged in (shifted, content[:offset] + bytes(BLOCK) + content[offset + BLOCK :]):
            log.files.damage(name, 0, damaged)
            check(log, log.files, log.whole.compacted())
        log.files.damage(name, 0, content)


def test_the_last_batch_in_the_place_of_the_one_before_it_is_no_tear() -> None:
    """A write that went astray: that it was begun proves that the one before was acknowledged."""
    files = MemoryFiles()
    log, _ = open_log(files)
    for index in range(1, 4):
        log.append([write(1, entry(index), vote=(1, 1))])
    (name,) = files.names()
    files.damage(name, 3 * BLOCK, files.read(name, 4 * BLOCK, BLOCK) + bytes(BLOCK))
    with pytest.raises(LostDisk, match="batch 4 stands where batch 3 belongs"):
        open_log(files)


def test_damage_before_a_checkpoint_is_ignored_once_everything_there_is_applied() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    for index in range(1, 8):
        log.append([write(1, entry(index), vote=(1, 1))])
    first = files.names()[0]
    files.damage(first, 3 * BLOCK, bytes(64))
    damaged = files.copy()

    with pytest.raises(LostDisk, match=f"{first} at offset {3 * BLOCK} .batch 3.") as lost:
        open_log(damaged, {GroupId(1): Index(3)})
    assert "needs its entries up to 4" in lost.value.cause
    _, recovered = open_log(damaged, {GroupId(1): Index(4)})

    assert recovered.groups[GroupId(1)].compacted == Mark(Index(4), Term(1))
    assert recovered.groups[GroupId(1)].entries == [entry(5), entry(6), entry(7)]
    assert Verdict.IGNORED in {decision.verdict for decision in recovered.decisions}


def test_ignored_damage_is_ignored_by_later_starts_too() -> None:
    files = MemoryFiles()
    log, _ = open_log(files)
    for index in range(1, 8):
        log.append([write(1, entry(index))])
    files.damage(files.names()[0], 3 * BLOCK, bytes(64))
    applied = {GroupId(1): Index(4)}
    log, _ = open_log(files, applied)
    for index in range(8, 20):
        log.append([write(1, entry(index))])

    _, recovered = open_log(files, applied)

    assert recovered.groups[GroupId(1)].entries == [entry(index) for index in range(5, 20)]


def test_ignored_damage_stays_ignored_when_the_log_goes_on() -> None:
    log = small_log(2)
    files, ledger = log.files.copy(), log.whole.copy()
    files.damage(files.names()[0], 2 * BLOCK, bytes(64))
    applied = ledger.last()
    prng = Prng(77)
    for start in range(6):
        wal, recovered = open_log(files, applied, seed=start)
        assert ledger.is_told_by(recovered, applied)
        for _ in range(3):
            batch = next_batch(prng, ledger)
            ledger.take(batch)
            wal.append(batch)
        marks = ledger.compacted()
        applied = {group: max(applied.get(group, mark), mark) for group, mark in marks.items()}


def test_a_lost_middle_segment_is_noticed() -> None:
    log = small_log(3)
    files = log.files.copy()
    files.unlink(files.names()[2])
    assert check(log, files, log.whole.compacted()) is Verdict.LOST


def test_damage_to_the_first_batch_of_the_newest_segment_is_no_tear() -> None:
    """A segment has its name only once that batch is durable."""
    log = small_log(1)
    files = log.files.copy()
    open_log(files, log.whole.compacted())
    files.damage(files.names()[-1], BLOCK + 100, b"\xff")
    assert check(log, files, log.whole.compacted()) is Verdict.LOST
