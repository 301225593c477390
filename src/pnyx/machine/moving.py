"""A group with some of the shards: the rules of a move, at its source and at its destination.

Each entry is checked when it is applied: by phase, epoch and floor. What does not fit does nothing
and gets `VOID`; what was done already gets the same answer again. So messages and entries may be
late, doubled and out of order. The destination's log is the arbiter: of `MoveActivate` and
`MoveResolve` the first one decides, for ever.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from pnyx.ids import Epoch, GroupId, Revision, ShardId
from pnyx.machine import moves as m
from pnyx.machine.commands import AnyCommand, Sequenced
from pnyx.machine.directives import Directive, Order
from pnyx.machine.holdings import (
    CLEAR,
    COPIED,
    LATER,
    ONE_KEY,
    WRONG_SHARD,
    Holdings,
    Phase,
    Shard,
    decode_logged,
)
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.machine import Machine, Rules
from pnyx.machine.results import OK, Refusal, Result, Status
from pnyx.machine.rows import EXPIRING, KIND_DATA, PREFIX_BYTES, expiry_of, suffix_in
from pnyx.machine.slots import slot_of
from pnyx.machine.transactions import COMMANDS, READS

LOOKED_BYTES_MAX: Final = 128 * 1024 * 1024
"""Of rows that the commands of one entry, or of one request that reads, look at: some 60 ms. Those
behind are told `LATER`, so that a thousand that look at large values, in a few bytes each, stop
nobody's heartbeats."""
VOID: Final = Refusal("VOID this belongs to no attempt under way here: nothing was done")
NOT_YET: Final = Refusal("NOTYET the copy lacks rows or changes: nothing was done")
ACTIVATED: Final = Status(b"activated")
REJECTED: Final = Status(b"rejected")


def done_where_held(
    keyspace: Keyspace, rules: Rules, commands: Sequence[AnyCommand]
) -> list[Result]:
    """Do the commands of one entry, each only if all its keys are served here."""
    results = told_where_held(keyspace, rules, commands)
    held = keyspace.holdings
    assert held is not None, "only a divided keyspace has shards elsewhere"
    keyspace.account()
    # Of one entry there is one change a shard of its keys and one of its sessions, however many of
    # its commands they were for.
    for shard in held.take_overdrawn():
        _give_up(keyspace, shard, held.touch(shard))
    held.settle()
    keyspace.log(held.take_rows().items())
    return results


def told_where_held(
    keyspace: Keyspace, rules: Rules, commands: Sequence[AnyCommand | Directive]
) -> list[Result]:
    """Return what the rules of commands say, each if all its keys are served here."""
    held = keyspace.holdings
    assert held is not None, "only a divided keyspace has shards elsewhere"
    results: list[Result] = []
    open_slots = held.open
    for command in commands:
        kind = type(command)
        if keyspace.looked_bytes > LOOKED_BYTES_MAX and not isinstance(command, Order):
            results.append(LATER)
        elif kind in ONE_KEY:
            key = command.key  # type: ignore[union-attr]
            slot = slot_of(key)
            if open_slots[slot]:
                keyspace.key, keyspace.suffix = key, suffix_in(slot, key)
                results.append(rules[kind](keyspace, command))
            else:
                results.append(WRONG_SHARD)
        elif kind is Sequenced and type(command.command) in ONE_KEY:  # type: ignore[union-attr]
            results.append(_told_once(keyspace, held, rules, command))  # type: ignore[arg-type]
        elif isinstance(command, Order):
            # Its rule goes by what shards are, and changes what they are.
            keyspace.account()
            results.append(rules[kind](keyspace, command))
            held.settle()
        elif held.is_elsewhere(command):
            results.append(WRONG_SHARD)
        else:
            results.append(rules[kind](keyspace, command))
    return results


def _told_once(keyspace: Keyspace, held: Holdings, rules: Rules, command: Sequenced) -> Result:
    key = command.command.key  # type: ignore[union-attr]
    slot = slot_of(key)
    if not held.open[slot] or not held.open[command.slot]:
        return WRONG_SHARD
    keyspace.key, keyspace.suffix = key, suffix_in(slot, key)
    return rules[Sequenced](keyspace, command)


def _held(keyspace: Keyspace, shard: ShardId) -> Shard | None:
    assert keyspace.holdings is not None, "moves are rules of a divided keyspace"
    return keyspace.holdings.known(shard)


def _touched(keyspace: Keyspace, shard: ShardId) -> Shard:
    assert keyspace.holdings is not None, "moves are rules of a divided keyspace"
    return keyspace.holdings.touch(shard)


def _found_shards(keyspace: Keyspace, command: m.FoundShards) -> Result:
    known = [_held(keyspace, shard) for shard in command.shards]
    if any(held is None or _is_late(held, command.epoch) for held in known):
        return VOID
    for shard in command.shards:
        held = _touched(keyspace, shard)
        if held.phase is Phase.AWAY:
            held.phase, held.epoch, held.floor = Phase.SERVING, command.epoch, command.epoch
    return OK


def _is_late(held: Shard, epoch: Epoch) -> bool:
    if held.phase is Phase.SERVING and held.epoch == epoch:
        return False
    return held.phase is not Phase.AWAY or epoch <= held.floor


# The source.


def _begin(keyspace: Keyspace, command: m.MoveBegin) -> Result:
    held = _held(keyspace, command.shard)
    if held is None or held.epoch != command.epoch or not held.served:
        return VOID
    if held.phase is Phase.EXPORTING:
        return OK if held.partner == command.destination else VOID
    held = _touched(keyspace, command.shard)
    held.phase, held.partner = Phase.EXPORTING, command.destination
    held.changes = held.logged_bytes = held.forgotten = held.forgotten_bytes = 0
    return OK


def _forget(keyspace: Keyspace, command: m.MoveForget) -> Result:
    held = _at_source(keyspace, command.shard, command.epoch)
    if held is None or command.number > held.changes:
        return VOID
    if command.number <= held.forgotten:
        return OK
    assert keyspace.holdings is not None, "it is held"
    key = keyspace.holdings.change_key
    last = keyspace.row(key(command.shard, command.number))
    assert last is not None, "changes stay until they are forgotten"
    held = _touched(keyspace, command.shard)
    keyspace.drop(key(command.shard, 0), key(command.shard, command.number + 1))
    held.forgotten, held.forgotten_bytes = command.number, decode_logged(last).bytes_so_far
    return OK


def _freeze(keyspace: Keyspace, command: m.MoveFreeze) -> Result:
    held = _at_source(keyspace, command.shard, command.epoch)
    if held is None:
        return VOID
    if held.phase is Phase.EXPORTING:
        held = _touched(keyspace, command.shard)
        held.phase, held.clock_ms = Phase.FROZEN, keyspace.clock_ms
        # Not that of the rows there are: who was told of a key's revision may come back with it,
        # though the key was gone by the end of its entry.
        held.revision = Revision(keyspace.revision)
    return m.encode(held.frozen())


def _done(keyspace: Keyspace, command: m.MoveDone) -> Result:
    held = _held(keyspace, command.shard)
    if held is None:
        return VOID
    if held.phase is not Phase.FROZEN or held.epoch != command.epoch:
        return OK if held.floor > command.epoch else VOID
    _touched(keyspace, command.shard)
    keyspace.keys -= held.keys
    keyspace.expiring -= held.expiring
    _forget_log(keyspace, command.shard, held)
    _empty(keyspace, command.shard, held, Epoch(command.epoch + 1))
    return OK


def _abort(keyspace: Keyspace, command: m.MoveAbort) -> Result:
    held = _at_source(keyspace, command.shard, command.epoch)
    if held is None or held.phase is not Phase.EXPORTING:
        return VOID
    _give_up(keyspace, command.shard, _touched(keyspace, command.shard))
    return OK


def _rejected(keyspace: Keyspace, command: m.MoveRejected) -> Result:
    held = _at_source(keyspace, command.shard, command.epoch)
    if held is None or held.phase is not Phase.FROZEN:
        return VOID
    _give_up(keyspace, command.shard, _touched(keyspace, command.shard))
    keyspace.wake()
    return OK


def _at_source(keyspace: Keyspace, shard: ShardId, epoch: Epoch) -> Shard | None:
    held = _held(keyspace, shard)
    leaving = held is not None and held.phase in (Phase.EXPORTING, Phase.FROZEN)
    return held if held is not None and leaving and held.epoch == epoch else None


def _give_up(keyspace: Keyspace, shard: ShardId, held: Shard) -> None:
    """Serve a shard on; what its attempt would have led to, epoch + 1, never comes."""
    _forget_log(keyspace, shard, held)
    held.phase, held.partner = Phase.SERVING, GroupId(0)
    held.floor, held.epoch = Epoch(held.epoch + 1), Epoch(held.epoch + 2)


def _forget_log(keyspace: Keyspace, shard: ShardId, held: Shard) -> None:
    assert keyspace.holdings is not None, "it is held"
    key = keyspace.holdings.change_key
    keyspace.drop(key(shard, 0), key(shard, held.changes + 1))
    held.changes = held.logged_bytes = held.forgotten = held.forgotten_bytes = 0


# The destination.


def _accept(keyspace: Keyspace, command: m.MoveAccept) -> Result:
    held = _held(keyspace, command.shard)
    if held is None or command.epoch + 1 <= held.floor:
        return VOID
    if held.phase is Phase.IMPORTING and held.epoch >= command.epoch:
        same = held.epoch == command.epoch and held.partner == command.source
        return OK if same else VOID
    if held.phase not in (Phase.AWAY, Phase.IMPORTING):
        return VOID
    held = _touched(keyspace, command.shard)
    _empty(keyspace, command.shard, held, held.floor)
    held.phase, held.epoch, held.partner = Phase.IMPORTING, command.epoch, command.source
    return OK


def _chunk(keyspace: Keyspace, command: m.MoveChunk) -> Result:
    held, chunk = _at_destination(keyspace, command.shard, command.epoch), command.chunk
    if held is None:
        return VOID
    if chunk.after != held.cursor:
        # Another copy of this one was faster.
        return OK
    if chunk.at < held.changes:
        # A state from before changes that were skipped, for they lie beyond the cursor: it would
        # bring back what they changed.
        return VOID
    for key, row in chunk.rows:
        # Beyond the cursor there is nothing.
        _put(keyspace, key, row, is_new=True)
    keyspace.account()
    _touched(keyspace, command.shard).cursor = chunk.upto
    return OK


def _changes(keyspace: Keyspace, command: m.MoveChanges) -> Result:
    held = _at_destination(keyspace, command.shard, command.epoch)
    if held is None:
        return VOID
    return OK if _catch_up(keyspace, command.shard, command.changes) else NOT_YET


def _activate(keyspace: Keyspace, command: m.MoveActivate) -> Result:
    outcome = _outcome(keyspace, command.shard, command.epoch)
    if outcome is not None:
        return outcome
    held, frozen = _at_destination(keyspace, command.shard, command.epoch), command.frozen
    if held is None:
        return VOID
    _catch_up(keyspace, command.shard, command.changes)
    if held.cursor != COPIED or held.changes < frozen.changes:
        return NOT_YET
    held = _touched(keyspace, command.shard)
    if (held.keys, held.content, held.changes) != (frozen.keys, frozen.content, frozen.changes):
        return _reject(keyspace, command.shard, command.epoch)
    held.phase, held.partner, held.cursor = Phase.SERVING, GroupId(0), b""
    held.changes = 0
    held.outcome = (command.epoch, True)
    held.epoch = held.floor = Epoch(command.epoch + 1)
    keyspace.keys += held.keys
    keyspace.expiring += held.expiring
    # Neither a revision nor the time ever goes back for a key, whatever group it came from.
    keyspace.revision = max(keyspace.revision, frozen.revision)
    keyspace.clock_ms = keyspace.estimate_ms = max(keyspace.clock_ms, frozen.clock_ms)
    keyspace.wake()
    return ACTIVATED


def _resolve(keyspace: Keyspace, command: m.MoveResolve) -> Result:
    held = _held(keyspace, command.shard)
    if held is None:
        return VOID
    outcome = _outcome(keyspace, command.shard, command.epoch)
    if outcome is not None:
        return outcome
    if command.epoch + 1 <= held.floor or held.served or held.phase is Phase.FROZEN:
        return VOID
    return _reject(keyspace, command.shard, command.epoch)


def _outcome(keyspace: Keyspace, shard: ShardId, epoch: Epoch) -> Result:
    held = _held(keyspace, shard)
    if held is None or held.outcome is None or held.outcome[0] != epoch:
        return None
    return ACTIVATED if held.outcome[1] else REJECTED


def _reject(keyspace: Keyspace, shard: ShardId, epoch: Epoch) -> Result:
    held = _touched(keyspace, shard)
    _empty(keyspace, shard, held, Epoch(max(held.floor, epoch + 1)))
    held.outcome = (epoch, False)
    return REJECTED


def _at_destination(keyspace: Keyspace, shard: ShardId, epoch: Epoch) -> Shard | None:
    held = _held(keyspace, shard)
    if held is None or held.phase is not Phase.IMPORTING or held.epoch != epoch:
        return None
    return held


def _catch_up(keyspace: Keyspace, shard: ShardId, changes: m.Changes) -> bool:
    """Do what is next of `changes`; return whether all up to the last of them is done."""
    held = _touched(keyspace, shard)
    for number, effects in enumerate(changes.effects, start=changes.first):
        if number == held.changes + 1:
            _do(keyspace, shard, [each for each in effects if each[0] <= held.cursor])
            held.changes = number
    return held.changes >= changes.first + len(changes.effects) - 1


def _do(keyspace: Keyspace, shard: ShardId, effects: Iterable[m.Effect]) -> None:
    for key, row in effects:
        if key == CLEAR:
            keyspace.clear(shard)
        else:
            _put(keyspace, key, row)
    keyspace.account()


def _put(keyspace: Keyspace, key: bytes, row: bytes | None, *, is_new: bool = False) -> None:
    """Put or delete a row of an importing shard, and what follows from it."""
    row_key = keyspace.prefix + key
    if key[:1] != KIND_DATA:
        keyspace.sessions.imported(row_key, row)
        return
    if row is not None and row[0] == EXPIRING:
        keyspace.rows[keyspace.expiry_key(key[1:], expiry_of(row))] = b""
    keyspace.lay(row_key, row, is_new=is_new)


def _empty(keyspace: Keyspace, shard: ShardId, held: Shard, floor: Epoch) -> None:
    """Delete all of a shard in this entry's own write, and know nothing of it but its floor."""
    keyspace.clear(shard)
    assert keyspace.holdings is not None, "it is held"
    keyspace.drop(*keyspace.holdings.session_range(shard))
    held.phase, held.partner, held.cursor = Phase.AWAY, GroupId(0), b""
    held.session_sum = held.changes = held.clock_ms = 0
    held.revision, held.floor = Revision(0), floor
    # What was due while it slept stayed behind, earlier than any floor by now.
    keyspace.wake()


# What others copy.


def chunk_of(
    keyspace: Keyspace, shard: ShardId, epoch: Epoch, after: bytes, bytes_max: int
) -> m.Chunk | None:
    """Return the rows of a leaving shard from `after` on, some `bytes_max` of them.

    None if this replica has not applied the beginning of that move yet, or has applied its end.
    """
    held = _at_source(keyspace, shard, epoch)
    if held is None or keyspace.holdings is None:
        return None
    rows: list[tuple[bytes, bytes]] = []
    size = 0
    for lower, upper in (
        keyspace.holdings.data_range(shard),
        keyspace.holdings.session_range(shard),
    ):
        start = max(lower, keyspace.prefix + after + b"\0") if after else lower
        for row_key, row in keyspace.stored(start, upper):
            if rows and size >= bytes_max:
                return m.Chunk(after, rows[-1][0], held.changes, tuple(rows))
            rows.append((row_key[PREFIX_BYTES:], row))
            size += len(row_key) + len(row) + m.ROW_BYTES
    return m.Chunk(after, COPIED, held.changes, tuple(rows))


def changes_of(
    keyspace: Keyspace, shard: ShardId, epoch: Epoch, after: int, bytes_max: int
) -> m.Changes | None:
    """Return the changes of a leaving shard behind number `after`, some `bytes_max` of them."""
    held = _at_source(keyspace, shard, epoch)
    if held is None or keyspace.holdings is None or after < held.forgotten:
        return None
    key, size = keyspace.holdings.change_key, 0
    effects: list[tuple[m.Effect, ...]] = []
    for _, row in keyspace.stored(key(shard, after + 1), key(shard, held.changes + 1)):
        if effects and size >= bytes_max:
            break
        effects.append(decode_logged(row).effects)
        size += len(row) + m.ROW_BYTES
    return m.Changes(after + 1, tuple(effects))


def _read_chunk(keyspace: Keyspace, read: m.ReadChunk) -> Result:
    chunk = chunk_of(keyspace, read.shard, read.epoch, read.after, read.bytes_max)
    return VOID if chunk is None else m.encode(chunk)


def _read_changes(keyspace: Keyspace, read: m.ReadChanges) -> Result:
    changes = changes_of(keyspace, read.shard, read.epoch, read.after, read.bytes_max)
    return VOID if changes is None else m.encode(changes)


_MOVES: Final = Rules(
    {
        m.FoundShards: _found_shards,
        m.MoveBegin: _begin,
        m.MoveForget: _forget,
        m.MoveFreeze: _freeze,
        m.MoveDone: _done,
        m.MoveAbort: _abort,
        m.MoveRejected: _rejected,
        m.MoveAccept: _accept,
        m.MoveChunk: _chunk,
        m.MoveChanges: _changes,
        m.MoveActivate: _activate,
        m.MoveResolve: _resolve,
    }
)
_READS: Final = Rules({m.ReadChunk: _read_chunk, m.ReadChanges: _read_changes})

SHARDS: Final = Machine("shards", Rules(COMMANDS, _MOVES), Rules(READS, _READS), divided=True)
"""The machine of a group that shares the keys with others."""
