"""A small log on a simulated disk, and an independent account of what it must hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Acceptance, Entry, EntryKind, HardState, Mark, Write
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.prng import Prng
from pnyx.storage.files import Files
from pnyx.storage.owner import Identity
from pnyx.storage.recovery import Recovered
from pnyx.storage.wal import GroupWrite, Wal, WalSettings

BLOCK: Final = 4096
IDENTITY: Final = Identity("a test cluster", "n1", NodeId(0x1234))
SETTINGS: Final = WalSettings(segment_bytes=6 * BLOCK, first_segment_bytes=6 * BLOCK)
GROUPS: Final = (GroupId(1), GroupId(2), GroupId(7))
Applied = Mapping[GroupId, Index]


def nonces(seed: int) -> Callable[[], int]:
    prng = Prng(seed)
    return lambda: prng.below(1 << 64)


def open_log(files: Files, applied: Applied | None = None, seed: int = 1) -> tuple[Wal, Recovered]:
    return Wal.open(files, IDENTITY, SETTINGS, applied or {}, nonces(seed))


def entry(index: int, term: int = 1, payload: bytes = b"") -> Entry:
    return Entry(Index(index), Term(term), EntryKind.COMMANDS, payload or b"entry %d" % index)


def write(
    group: int,
    *entries: Entry,
    vote: tuple[int, int | None] | None = None,
    compacted: tuple[int, int] | None = None,
    restart: tuple[int, int] | None = None,
    accepted: tuple[int, int] | None = None,
) -> GroupWrite:
    node = None if vote is None or vote[1] is None else NodeId(vote[1])
    return GroupWrite(
        GroupId(group),
        Write(
            1,
            None if vote is None else HardState(Term(vote[0]), node),
            entries,
            None if compacted is None else Mark(Index(compacted[0]), Term(compacted[1])),
            None if restart is None else Mark(Index(restart[0]), Term(restart[1])),
            None if accepted is None else Acceptance(Term(accepted[0]), Index(accepted[1])),
        ),
    )


@dataclass
class Account:
    """One group as plainly as it can be kept."""

    hard_state: HardState = field(default_factory=HardState)
    compacted: Mark = field(default_factory=Mark)
    entries: dict[int, Entry] = field(default_factory=dict)
    accepted: Term = Term(0)

    @property
    def last(self) -> Mark:
        newest = max(self.entries, default=None)
        if newest is None:
            return self.compacted
        return Mark(self.entries[newest].index, self.entries[newest].term)

    def take(self, write: Write) -> None:
        if write.restart is not None:
            held = self.entries.get(write.restart.index)
            agrees = held is not None and held.term == write.restart.term
            self.entries = {
                index: kept
                for index, kept in self.entries.items()
                if agrees and index > write.restart.index
            }
            self.compacted = write.restart
        self.hard_state = write.hard_state or self.hard_state
        for new in write.entries:
            self.entries = {index: old for index, old in self.entries.items() if index < new.index}
            self.entries[new.index] = new
        if write.accepted is not None:
            end = write.accepted.last_index
            self.entries = {index: kept for index, kept in self.entries.items() if index <= end}
            self.accepted = write.accepted.term
        if write.compacted is not None:
            self.compacted = write.compacted
            self.entries = {i: old for i, old in self.entries.items() if i > write.compacted.index}


@dataclass
class Ledger:
    """All groups, and the formation map."""

    groups: dict[GroupId, Account] = field(default_factory=dict)
    formed: Formed | None = None

    def copy(self) -> "Ledger":
        groups = {
            group: Account(held.hard_state, held.compacted, dict(held.entries), held.accepted)
            for group, held in self.groups.items()
        }
        return Ledger(groups, self.formed)

    def take(self, writes: list[GroupWrite], formed: Formed | None = None) -> None:
        self.formed = formed or self.formed
        for group, one in writes:
            self.groups.setdefault(group, Account()).take(one)

    def compacted(self) -> dict[GroupId, Index]:
        """The least that the space must hold durably."""
        return {group: held.compacted.index for group, held in self.groups.items()}

    def last(self) -> dict[GroupId, Index]:
        """The most that the space can hold."""
        return {group: held.last.index for group, held in self.groups.items()}

    def is_told_by(self, recovered: Recovered, applied: Applied) -> bool:
        """Is `recovered` this ledger, but perhaps for entries that were applied durably?"""
        return (
            recovered.formed == self.formed
            and recovered.groups.keys() == self.groups.keys()
            and all(
                found.hard_state == self.groups[group].hard_state
                and found.accepted == self.groups[group].accepted
                and (
                    found.compacted == self.groups[group].compacted
                    or self.groups[group].compacted.index
                    < found.compacted.index
                    <= applied.get(group, 0)
                )
                and found.entries
                == [
                    kept
                    for index, kept in sorted(self.groups[group].entries.items())
                    if index > found.compacted.index
                ]
                for group, found in recovered.groups.items()
            )
        )


def next_batch(prng: Prng, ledger: Ledger) -> list[GroupWrite]:
    """Draw a batch that a few replicas could write now."""
    return [
        GroupWrite(group, draw(prng, ledger.groups.get(group, Account())))
        for group, draw in zip(GROUPS, (_draw, _draw, _draw_accepting), strict=True)
        if prng.below(3) > 0
    ] or [GroupWrite(GROUPS[0], _draw(prng, ledger.groups.get(GROUPS[0], Account())))]


def _draw(prng: Prng, held: Account) -> Write:
    term = held.hard_state.term
    first = held.last.index + 1
    match prng.below(10):
        case 0 | 1:
            vote = NodeId(1 + prng.below(9)) if prng.below(2) else None
            return Write(1, HardState(Term(term + 1), vote))
        case 2 if held.entries:
            # A new leader of a later term overwrites the end of the log.
            term = Term(term + 1)
            first = min(held.entries) + prng.below(len(held.entries))
            entries = tuple(entry(first + i, term, _payload(prng)) for i in range(2))
            return Write(1, HardState(term), entries)
        case 3 if held.entries:
            mark = held.entries[min(held.entries) + prng.below(len(held.entries))]
            return Write(1, compacted=Mark(mark.index, mark.term))
        case 4 if prng.below(2):
            ahead = Mark(Index(held.last.index + prng.below(4)), max(Term(1), term))
            return Write(1, restart=ahead)
        case _:
            count = 1 + prng.below(3)
            entries = tuple(entry(first + i, max(1, term), _payload(prng)) for i in range(count))
            return Write(1, HardState(max(Term(1), term)), entries)


def _draw_accepting(prng: Prng, held: Account) -> Write:
    """Draw a write of a Multi-Paxos group: now and then a whole log is accepted, or its end cut."""
    if not held.entries or prng.below(3):
        return _draw(prng, held)
    term = Term(held.hard_state.term + 1)
    first = min(held.entries) + prng.below(len(held.entries))
    count = prng.below(3)
    entries = tuple(entry(first + i, term, _payload(prng)) for i in range(count))
    accepted = Acceptance(term, Index(first + count - 1))
    return Write(1, HardState(term), entries, accepted=accepted)


def _payload(prng: Prng) -> bytes:
    size = 1 + prng.below(9000 if prng.below(30) == 0 else 60)
    return (b"%016d" % prng.below(1 << 50)) * (size // 16 + 1)
