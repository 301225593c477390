"""Walking over many keys: SCAN, KEYS, RANDOMKEY and what a slot holds.

A SCAN cursor is a position, ``slot << 48 | hash48`` (machine/rows.py): no state is kept, and a key
that exists during a whole scan is returned, whatever else comes and goes. Keys that share a
position are never split over two pages, for a cursor could not name the second one.
"""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, Final

from pnyx.machine import commands as c
from pnyx.machine.glob import PATTERN_BYTES_MAX, STEPS_MAX, Glob
from pnyx.machine.keyspace import TOLD_REFUSED, Keyspace
from pnyx.machine.results import Refusal, Result, Values
from pnyx.machine.rows import POSITION_BYTES, POSITION_END, expiry_of
from pnyx.machine.slots import EVERY_SLOT, SLOT_SHIFT

SCAN_COUNT_MAX: Final = 5_000
"""Keys visited by one SCAN, whatever its COUNT says: a page must not hold the loop."""
SCAN_BYTES_MAX: Final = 1_000_000
"""Bytes of keys after which one SCAN visits no more."""
SCAN_LOOKED_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of keys and values after which one SCAN visits no more: a value is read along with its key,
and a hundred megabytes would hold the loop for half a second."""
KEYS_COUNT_MAX: Final = 10_000
"""Keys that KEYS will visit."""
LOOKED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of keys and values after which KEYS, or a look at a slot, visits no more."""
SLOT_KEYS_MAX: Final = 100_000
"""Keys of one slot that are counted or listed."""
RANDOM_VISITS_MAX: Final = 1_000
"""Expired keys that RANDOMKEY steps over before it says that there is none."""

KEYS_REFUSED: Final = Refusal(
    f"ERR KEYS visits at most {KEYS_COUNT_MAX} keys and there are more: use SCAN"
)
KEYS_TOO_LARGE: Final = Refusal(
    f"ERR KEYS visits at most {LOOKED_BYTES_MAX} bytes of keys and values and there are more: "
    "use SCAN"
)
SLOT_REFUSED: Final = Refusal(
    f"ERR the slot has more than {SLOT_KEYS_MAX} keys, or {LOOKED_BYTES_MAX} bytes of keys and "
    "values"
)
PATTERN_REFUSED: Final = Refusal(f"ERR the pattern is longer than {PATTERN_BYTES_MAX} bytes")
STEPS_REFUSED: Final = Refusal(
    f"ERR PX0201 a ? or [ between two stars of the pattern may need more than {STEPS_MAX} "
    "comparisons with keys so long; nothing was returned, use SCAN or a shorter pattern"
)


def _scan(keyspace: Keyspace, command: c.Scan) -> Result:
    if len(command.pattern or b"") > PATTERN_BYTES_MAX:
        return PATTERN_REFUSED
    count = min(max(command.count, 1), SCAN_COUNT_MAX)
    glob = _glob(command.pattern)
    steps = size = looked = 0
    page: list[tuple[bytes, int]] = []
    end = POSITION_END if command.last is None else (command.last + 1) << SLOT_SHIFT
    cursor = b"%d" % end if end < POSITION_END else b"0"
    for suffix, row in keyspace.positions(min(command.cursor, end), end):
        size += len(suffix)
        looked += len(suffix) + len(row)
        steps += 0 if glob is None else glob.steps(suffix[POSITION_BYTES:])
        is_full = len(page) >= count or size > SCAN_BYTES_MAX or steps > STEPS_MAX
        is_full |= looked > SCAN_LOOKED_BYTES_MAX
        if is_full and page and suffix[:POSITION_BYTES] != page[-1][0][:POSITION_BYTES]:
            cursor = b"%d" % int.from_bytes(suffix[:POSITION_BYTES], "big")
            break
        if steps > STEPS_MAX:
            return STEPS_REFUSED
        page.append((suffix, expiry_of(row)))
    if not keyspace.may_tell(size):
        return TOLD_REFUSED
    if command.type_name is not None and command.type_name.lower() != b"string":
        return Values((cursor, Values(())))
    return Values((cursor, Values(tuple(_living(keyspace, iter(page), glob)))))


def _keys(keyspace: Keyspace, command: c.Keys) -> Result:
    if len(command.pattern) > PATTERN_BYTES_MAX:
        return PATTERN_REFUSED
    if keyspace.keys > KEYS_COUNT_MAX:
        return KEYS_REFUSED
    rows = chain.from_iterable(
        keyspace.positions(first << SLOT_SHIFT, (last + 1) << SLOT_SHIFT)
        for first, last in command.ranges or EVERY_SLOT
    )
    glob = _glob(command.pattern)
    visited = list(_within(rows))
    if next(rows, None) is not None:
        return KEYS_TOO_LARGE
    if not keyspace.may_tell(sum(len(suffix) for suffix, _ in visited)):
        return TOLD_REFUSED
    if glob and sum(glob.steps(suffix[POSITION_BYTES:]) for suffix, _ in visited) > STEPS_MAX:
        return STEPS_REFUSED
    return Values(tuple(_living(keyspace, iter(visited), glob)))


def _random_key(keyspace: Keyspace, command: c.RandomKey) -> Result:
    if not keyspace.keys:
        return None
    start = command.draw % POSITION_END
    for lower, upper in ((start, POSITION_END), (0, start)):
        rows = islice(keyspace.positions(lower, upper), RANDOM_VISITS_MAX)
        found = next(_living(keyspace, _within(rows), None), None)
        if found is not None:
            return found
    return None


def _slot_count(keyspace: Keyspace, command: c.SlotCount) -> Result:
    rows = _slot(keyspace, command.slot)
    counted = sum(1 for _ in islice(_within(rows), SLOT_KEYS_MAX))
    return SLOT_REFUSED if next(rows, None) is not None else counted


def _slot_keys(keyspace: Keyspace, command: c.SlotKeys) -> Result:
    wanted = min(max(command.count, 0), SLOT_KEYS_MAX)
    living = _living(keyspace, _within(_slot(keyspace, command.slot)), None)
    return Values(tuple(islice(living, wanted)))


def _slot(keyspace: Keyspace, slot: int) -> Iterator[tuple[bytes, bytes]]:
    return keyspace.positions(slot << SLOT_SHIFT, (slot + 1) << SLOT_SHIFT)


def _glob(pattern: bytes | None) -> Glob | None:
    return None if pattern is None or pattern == b"*" else Glob(pattern)


def _within(rows: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, int]]:
    """Yield suffix and expiry of rows up to `LOOKED_BYTES_MAX`; the others are left in `rows`."""
    looked = 0
    for suffix, row in rows:
        yield suffix, expiry_of(row)
        looked += len(suffix) + len(row)
        if looked > LOOKED_BYTES_MAX:
            return


def _living(
    keyspace: Keyspace, found: Iterator[tuple[bytes, int]], glob: Glob | None
) -> Iterator[bytes]:
    for suffix, expire_ms in found:
        key = suffix[POSITION_BYTES:]
        if glob is not None and not glob.matches(key):
            continue
        if not expire_ms or not keyspace.is_gone(expire_ms):
            yield key


READS: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.Scan: _scan,
    c.Keys: _keys,
    c.RandomKey: _random_key,
    c.SlotCount: _slot_count,
    c.SlotKeys: _slot_keys,
}
