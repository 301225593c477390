"""One group's machine: entries in, results out, one atomic write to the space.

Rule 1. Data, expiries, sessions and the meta row {generation, applied, membership, totals} change
        in the same write, so whatever a crash leaves is the state after some entry, and says which.
Rule 2. The state is a function of the entries alone: not of how they are batched, nor of the
        process, its clock or its hash seeds. Equal entries give equal bytes, but for the number
        of the generation and what `installed` says: those tell where the state came from.
Rule 3. Due keys and sessions are swept at the start of an entry, before its commands. Results do
        not depend on it, for what is due is gone either way; but DBSIZE and the like, which count
        rows, are then as near to the truth as the sweep's limit allows.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind, Mark
from pnyx.ids import GroupId, ShardId
from pnyx.machine.commands import AnyCommand, Batch
from pnyx.machine.holdings import Shard
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.machine import Machine
from pnyx.machine.moving import done_where_held, told_where_held
from pnyx.machine.results import Result
from pnyx.machine.rows import (
    KIND_META,
    Meta,
    Totals,
    decode_meta,
    encode_row,
    group_end,
    group_prefix,
)
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.machine.snapshots import Installation, SnapshotView, drop_other_generations
from pnyx.machine.space import Space
from pnyx.machine.transactions import KEYS

HELD_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of entries, and of what they looked at or made, after which the next is applied apart: who is
behind takes many at a time, and each may make 128 MiB."""

_decode_membership = msgspec.msgpack.Decoder(Membership).decode


class Group:
    """The replicated state of one group, as far as this replica has applied it."""

    def __init__(
        self,
        space: Space,
        group: GroupId,
        machine: Machine = KEYS,
        *,
        shards: int = SHARDS_DEFAULT,
    ) -> None:
        """Take up the state in `space`; a new one cuts the slots into `shards`, for ever."""
        self.space = space
        self.machine = machine
        self._group = group
        self._meta_key = group_prefix(group, 0) + KIND_META
        row = space.get(self._meta_key)
        meta = Meta(totals=Totals(shards=shards)) if row is None else decode_meta(row)
        drop_other_generations(space, group, meta.generation)
        self._installation: Installation | None = None
        self._generation: int
        self._keyspace: Keyspace
        self.applied: Mark
        """The last entry applied."""
        self.installed: Mark
        """Where the last installed snapshot stood; index 0 if the log alone made this state."""
        self.membership: Membership | None
        """Of the last MEMBERSHIP entry applied; before one, what the group's founder puts here."""
        self.engine: str
        """Which one keeps the log, as the group's founder said."""
        self._take_over(meta)

    def found(self, membership: Membership, engine: str = "") -> None:
        """Begin a group on this node with its first membership; durable after the next flush."""
        assert self.membership is None, "a group is founded once"
        self.membership, self.engine = membership, engine
        self.space.write({self._meta_key: encode_row(self._meta())})

    @property
    def shards(self) -> int:
        """Into how many the slots are cut."""
        return self._keyspace.totals.shards

    @property
    def clock_ms(self) -> int:
        """The committed clock, ms since 1970; 0 before the first batch."""
        return self._keyspace.clock_ms

    def apply(self, entries: Sequence[tuple[Entry, Batch | None]]) -> list[list[Result]]:
        """Apply entries in order; return the results of each, one a command.

        Of each all is visible at once, or nothing; durable after the space's next flush.
        """
        keyspace, rules = self._keyspace, self.machine.commands
        keyspace.applying = True
        results: list[list[Result]] = []
        applied = self.applied.index
        held_bytes = 0
        for entry, batch in entries:
            assert entry.index == applied + 1, "entries are applied in order, each once"
            applied = entry.index
            if batch is None:
                if entry.kind is EntryKind.MEMBERSHIP:
                    self.membership = _decode_membership(entry.payload)
                results.append([])
                continue
            keyspace.begin(batch.stamp_ms, batch.value_bytes_max, len(batch.commands))
            if keyspace.holdings is None:
                results.append([rules[type(each)](keyspace, each) for each in batch.commands])
            else:
                results.append(done_where_held(keyspace, rules, batch.commands))
            held_bytes += len(entry.payload) + keyspace.looked_bytes
            if held_bytes > HELD_BYTES_MAX:
                self._write(entry)
                held_bytes = 0
        keyspace.applying = False
        if self.applied.index != applied:
            self._write(entries[-1][0])
        return results

    def _write(self, last: Entry) -> None:
        """Put what the entries up to `last` changed."""
        self.applied = Mark(last.index, last.term)
        rows, drops = self._keyspace.take_changes()
        rows[self._meta_key] = encode_row(self._meta())
        self.space.write(rows, drops)

    def read(self, commands: Sequence[AnyCommand], now_ms: int) -> list[Result] | None:
        """Return the results of reads in the applied state, at `now_ms` or the committed clock.

        None if one of them met a key that is due at `now_ms` but not yet by the committed clock:
        what time it is must then be agreed first, in the log.
        """
        keyspace, rules = self._keyspace, self.machine.reads
        keyspace.estimate_ms = max(now_ms, keyspace.clock_ms)
        keyspace.met_due = False
        keyspace.told_bytes = keyspace.looked_bytes = 0
        if keyspace.holdings is None:
            results = [rules[type(each)](keyspace, each) for each in commands]
        else:
            results = told_where_held(keyspace, rules, commands)
        return None if keyspace.met_due else results

    def next_expiry_ms(self) -> int | None:
        """Return when to look for due keys or sessions, in ms since 1970; None if none ever is."""
        key_ms = self._keyspace.next_expiry_ms()
        session_ms = self._keyspace.sessions.next_deadline_ms(self.clock_ms)
        if key_ms is None or session_ms is None:
            return session_ms if key_ms is None else key_ms
        return min(key_ms, session_ms)

    # Shards, and those on their way to another group.

    @property
    def shards_served(self) -> int:
        """How many shards are served here as applied; 0 of a group that has all there is."""
        holdings = self._keyspace.holdings
        return 0 if holdings is None else sum(shard.served for shard in holdings.shards)

    def shard(self, shard: ShardId) -> Shard | None:
        """Return what is here of a shard as applied; None if this group has all there is."""
        holdings = self._keyspace.holdings
        return None if holdings is None else holdings.known(shard)

    # Snapshots.

    def view(self) -> SnapshotView:
        """Return the applied state as it is now. Must be closed."""
        return SnapshotView(self.space.view(), self._keyspace.prefix, self._meta())

    def begin_install(self) -> None:
        """Make room for the rows of a snapshot; an install under way is given up."""
        self.abort_install()
        drop_other_generations(self.space, self._group, self._generation)
        self._installation = Installation(self.space, self._group, self._generation + 1)

    def install_rows(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Write rows of the stream, in any number of calls. Nothing of them shows yet."""
        assert self._installation is not None, "rows belong to an install that has begun"
        self._installation.put(rows)

    def finish_install(self, mark: Mark, membership: Membership) -> None:
        """Make the installed rows the state, atomically, and delete the state before."""
        installation = self._installation
        assert installation is not None, "an install has begun"
        assert mark.index > self.applied.index, "a snapshot never takes the state back"
        totals = installation.totals()
        meta = Meta(installation.generation, mark, membership, totals, mark, self.engine)
        old = group_prefix(self._group, self._generation)
        self.space.write(
            {self._meta_key: encode_row(meta), installation.totals_key: None},
            [(old, group_prefix(self._group, self._generation + 1))],
        )
        self._installation = None
        self._take_over(meta)

    def abort_install(self) -> None:
        """Forget an install; its rows go when the next one begins, or at the next start."""
        self._installation = None

    def _take_over(self, meta: Meta) -> None:
        self._generation = meta.generation
        self.applied = meta.applied
        self.installed = meta.installed
        self.membership, self.engine = meta.membership, meta.engine
        prefix = group_prefix(self._group, meta.generation)
        self._keyspace = Keyspace(self.space, prefix, meta.totals, divided=self.machine.divided)

    def _meta(self) -> Meta:
        totals = self._keyspace.totals
        applied, installed = self.applied, self.installed
        return Meta(self._generation, applied, self.membership, totals, installed, self.engine)


def groups_in(space: Space) -> list[GroupId]:
    """Return the groups that have a meta row, ascending."""
    found: list[GroupId] = []
    start = b""
    while (row := next(space.scan(start, b"\xff" * 4), None)) is not None:
        group = GroupId(int.from_bytes(row[0][:4], "big"))
        if space.get(group_prefix(group, 0) + KIND_META) is not None:
            found.append(group)
        start = group_end(group)
    return found
