"""A group's whole state as a stream of rows, and how such a stream becomes the state.

A stream is the totals row, then the data, expiry and session rows of one generation in key order,
without the group and generation they had. An install writes them under the next generation, where
nobody looks, until one write of the meta row makes it the one that counts.
"""

from collections.abc import Iterable, Iterator

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Mark
from pnyx.ids import GroupId
from pnyx.machine.rows import (
    KIND_DATA,
    KIND_END,
    KIND_META,
    PREFIX_BYTES,
    Meta,
    Totals,
    decode_totals,
    encode_row,
    group_end,
    group_prefix,
)
from pnyx.machine.space import Space, View


class SnapshotView:
    """The state at `mark`, however the group goes on. Must be closed."""

    def __init__(self, view: View, prefix: bytes, meta: Meta) -> None:
        assert meta.membership is not None, "a group without members has nobody to send to"
        self._view = view
        self._prefix = prefix
        self._totals = meta.totals
        self.mark: Mark = meta.applied
        self.membership: Membership = meta.membership

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the stream. May be called in another thread than the group's."""
        yield KIND_META, encode_row(self._totals)
        for key, value in self._view.scan(self._prefix + KIND_DATA, self._prefix + KIND_END):
            yield key[PREFIX_BYTES:], value

    def close(self) -> None:
        self._view.close()


class Installation:
    """Rows of a generation that does not count yet."""

    def __init__(self, space: Space, group: GroupId, generation: int) -> None:
        self.generation = generation
        self._space = space
        self._prefix = group_prefix(group, generation)
        self.totals_key = self._prefix + KIND_META

    def put(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Write rows of the stream; writing one again does no harm."""
        self._space.write({self._prefix + key: value for key, value in rows})

    def totals(self) -> Totals:
        """Return the totals that the stream began with."""
        row = self._space.get(self.totals_key)
        assert row is not None, "a stream begins with its totals"
        return decode_totals(row)


def drop_other_generations(space: Space, group: GroupId, generation: int) -> None:
    """Delete what an install or its predecessor left; touches nothing when nothing is left."""
    before = (group_prefix(group, 1), group_prefix(group, generation))
    after = (group_prefix(group, generation + 1), group_end(group))
    drops = [bounds for bounds in (before, after) if next(space.scan(*bounds), None) is not None]
    if drops:
        space.write({}, drops)
