"""Chunks that no manifest names: what a writer that died has left, and when it may go.

An id is collected when it is found unnamed twice, at least an hour apart by the committed clock. A
writer may commit for 30 minutes after it began, so whose chunks were there at the first look has
committed, or never will, before the second; and what is named by then was seen, for every
directory is listed while nothing in it was renamed.
"""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from pnyx.client import commands
from pnyx.client.files.chunks import Chunks
from pnyx.client.files.store import WRITE_MS_MAX
from pnyx.client.runner import Runner

APART_MS: Final = 3_600_000
assert APART_MS > WRITE_MS_MAX, "no writer may still commit at the second look"
REMEMBERED_MAX: Final = 100_000
"""Ids; those above it wait for the next look."""
_SEEN: Final = b"{pnyx:fs}orphans"
_decode: Final = msgspec.msgpack.Decoder(dict[bytes, int]).decode


def due(
    unnamed: Collection[bytes], seen: Mapping[bytes, int], now_ms: int
) -> tuple[list[bytes], dict[bytes, int]]:
    """Return which ids may go, and since when the others are known to be unnamed."""
    since = {each: seen.get(each, now_ms) for each in sorted(unnamed)}
    going = [each for each, first_ms in since.items() if now_ms - first_ms >= APART_MS]
    waiting = [each for each, first_ms in since.items() if now_ms - first_ms < APART_MS]
    return going, {each: since[each] for each in waiting[:REMEMBERED_MAX]}


def collect(
    runner: Runner, chunks: Mapping[bytes, Collection[int]], unnamed: Collection[bytes], now_ms: int
) -> tuple[int, int]:
    """Delete the chunks of ids that may go; return how many ids went and how many wait.

    `chunks` are the numbers of each id's chunks; `now_ms` is the committed clock before they were
    looked for.
    """
    value, revision = runner.one(commands.get_versioned(_SEEN))
    going, waiting = due(unnamed, {} if value is None else _decode(value), now_ms)
    for file_id in going:
        Chunks(runner).delete(file_id, sorted(chunks[file_id]))
    # Another look at the same time has written its own: an id that it knows for longer waits anew.
    runner.one(commands.cas(_SEEN, revision, msgspec.msgpack.encode(waiting)))
    return len(going), len(waiting)
