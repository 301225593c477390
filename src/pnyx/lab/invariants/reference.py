"""The machine that replays the agreed log: what every member's state must equal, index by index.

The sum over all rows of a hash of each is kept while rows change, so the content at any index is
one number, and a member's rows can be compared with it whenever they are looked at.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from xxhash import xxh3_64_intdigest

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind
from pnyx.ids import GroupId, Index
from pnyx.machine.commands import AnyCommand, Get, Ttl, decode
from pnyx.machine.group import Group
from pnyx.machine.machine import Machine
from pnyx.machine.results import Result
from pnyx.machine.rows import PREFIX_BYTES
from pnyx.storage.memory import MemorySpace

_MASK: Final = 2**64 - 1
_GENERATION: Final = slice(4, PREFIX_BYTES)
_META: Final = bytes(4)
"""The generation of the meta row, which tells where a state came from."""


class _SummedSpace(MemorySpace):
    """Keeps the sum of its rows' hashes; nothing in it needs to survive a crash."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0

    def write(
        self, rows: Mapping[bytes, bytes | None], drops: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        for count, (start, stop) in enumerate(drops):
            self.sum -= sum(
                _hash(key, value)
                for key, value in self.scan(start, stop)
                if not _lies_in(key, drops[:count])
            )
        for key, new in rows.items():
            old = None if _lies_in(key, drops) else self.get(key)
            self.sum += _hash(key, new) - _hash(key, old)
        super().write(rows, drops)
        self.flush()


class Reference:
    """One replay."""

    def __init__(self, membership: Membership, machine: Machine, shards: int) -> None:
        """Start empty, with the group's first membership; the slots are cut into `shards`."""
        self._space = _SummedSpace()
        self._group = Group(self._space, GroupId(1), machine, shards=shards)
        self._group.membership = membership
        self._totals: list[bytes] = [totals_of(self._group)]
        self._sums: list[int] = [0]

    @property
    def index(self) -> Index:
        """The last entry replayed."""
        return Index(len(self._sums) - 1)

    @property
    def row_count(self) -> int:
        """How many rows there are after it."""
        return self._space.row_count

    def apply(self, entry: Entry) -> list[Result]:
        """Replay the next entry; return the results of its commands."""
        batch = decode(entry.payload) if entry.kind == EntryKind.COMMANDS else None
        results = self._group.apply([(entry, batch)])[0]
        self._totals.append(totals_of(self._group))
        self._sums.append(self._space.sum & _MASK)
        return results

    def values(self, keys: Sequence[bytes]) -> list[tuple[bytes | None, int]]:
        """Return what `keys` hold after the last entry replayed, and when they go.

        The time in ms since 1970; -1: never, -2: there is no such key.
        """
        asked: list[AnyCommand] = []
        for key in keys:
            asked += (Get(key), Ttl(key, seconds=False, absolute=True))
        results = self._group.read(asked, 0)
        assert results is not None, "the committed clock needs no agreement"
        told = iter(results)
        return [
            (value if isinstance(value, bytes) else None, deadline_ms)
            for value, deadline_ms in zip(told, told, strict=True)
            if isinstance(deadline_ms, int)
        ]

    def totals_at(self, index: Index) -> bytes:
        """Return the totals after the entry at `index`, encoded; it was replayed."""
        return self._totals[index]

    def sum_at(self, index: Index) -> int:
        """Return the sum of all rows after the entry at `index`; it was replayed."""
        return self._sums[index]


def totals_of(group: Group) -> bytes:
    """Return what a group's rows add up to and its clock, encoded."""
    view = group.view()
    _, totals = next(view.rows())
    view.close()
    return totals


def sum_of(group: Group) -> int:
    """Return the sum of the hashes of all rows of a group's state: reads all of them."""
    view = group.view()
    rows = view.rows()
    next(rows)
    total = sum(xxh3_64_intdigest(value, xxh3_64_intdigest(key)) for key, value in rows)
    view.close()
    return total & _MASK


def _hash(key: bytes, value: bytes | None) -> int:
    if value is None or key[_GENERATION] == _META:
        return 0
    return xxh3_64_intdigest(value, xxh3_64_intdigest(key[PREFIX_BYTES:]))


def _lies_in(key: bytes, drops: Sequence[tuple[bytes, bytes]]) -> bool:
    return any(start <= key < stop for start, stop in drops)
