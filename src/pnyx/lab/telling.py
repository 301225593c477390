"""A run told to a person: of thousands of events the few that changed what somebody is or holds."""

from collections.abc import Iterator, Sequence
from typing import Final

from pnyx.lab.trace import Row

TELLING: Final = ("role=", "term=", "condition=")
"""What a change must contain to be told."""


def told(rows: Sequence[Row], lines_max: int) -> Iterator[str]:
    """Yield the last `lines_max` telling events of `rows`, a line each, oldest first."""
    chosen = [row for row in rows if _is_telling(row)]
    if len(chosen) > lines_max:
        yield f"  ... {len(chosen) - lines_max} earlier ones"
    for row in chosen[-lines_max:]:
        what = row.message or row.kind
        yield f"  {row.t_us / 1e6:9.4f} s  {_cut(what)}"
        if row.state_change:
            yield f"               {_cut(row.state_change)}"


def _is_telling(row: Row) -> bool:
    if row.kind.startswith(("fault ", "mend ")):
        return True
    return any(word in row.state_change for word in TELLING)


def _cut(text: str) -> str:
    return text if len(text) <= 110 else f"{text[:107]}..."
