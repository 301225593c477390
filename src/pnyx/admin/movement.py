"""How moves are getting on and how they ended, as the nodes tell that drive them."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from pnyx.admin import page

THREADS_MAX: Final = 16


class MoveProgress(msgspec.Struct, frozen=True):
    """One attempt to move a shard, as /v1/moves has it."""

    shard: int
    epoch: int
    source: int
    destination: int
    stage: str
    keys: int
    """In the copy."""
    copied_bytes: int
    elapsed_ms: int
    freeze_ms: int
    """How long nobody served it, from the request to freeze; 0 before that."""
    why: str
    """Why it waits; empty while it does not."""


class Moves(msgspec.Struct, frozen=True):
    """Of one node, or of all."""

    under_way: tuple[MoveProgress, ...] = ()
    ended: tuple[MoveProgress, ...] = ()
    """The last ones since that node's start, oldest first."""
    silent: tuple[str, ...] = ()
    """The labels of nodes that did not answer: what they know is missing."""


# Made once, before any thread; see health.py.
_decode: Final = msgspec.json.Decoder(Moves).decode


def ask_moves(pages: Mapping[str, tuple[str, int]]) -> Moves:
    """Return what all nodes that answer say of moves; those under way by shard."""
    with ThreadPoolExecutor(max_workers=min(THREADS_MAX, max(1, len(pages)))) as pool:
        answers = dict(zip(pages, pool.map(_ask, pages.values()), strict=True))
    said = [moves for moves in answers.values() if moves is not None]
    under_way = [one for moves in said for one in moves.under_way]
    return Moves(
        tuple(sorted(under_way, key=lambda one: one.shard)),
        tuple(one for moves in said for one in moves.ended),
        tuple(label for label, moves in answers.items() if moves is None),
    )


def _ask(place: tuple[str, int]) -> Moves | None:
    try:
        return _decode(page.ask(*place, "/v1/moves"))
    except page.NoAnswer:
        return None
