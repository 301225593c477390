"""All commands, one row each: what the hot path looks up and what COMMAND tells."""

from typing import Final

from pnyx.gateway import (
    bits,
    clients,
    cluster,
    greeting,
    information,
    introspection,
    keyspace,
    operations,
    parameters,
    sessions,
    strings,
    transactions,
)
from pnyx.gateway.rows import Row

_ROWS: dict[bytes, Row] = {}

TABLE: Final[introspection.Table] = _ROWS
"""By upper-case name, sorted."""


def _assemble() -> None:
    every = (
        *bits.ROWS,
        *clients.ROWS,
        *cluster.ROWS,
        *greeting.ROWS,
        *information.ROWS,
        *introspection.rows(TABLE),
        *keyspace.ROWS,
        *operations.ROWS,
        *parameters.ROWS,
        *sessions.ROWS,
        *strings.ROWS,
        *transactions.ROWS,
    )
    for row in sorted(every, key=lambda row: row.name):
        name = row.name.upper().encode()
        assert name not in _ROWS, f"two rows for {row.name}"
        _ROWS[name] = row


_assemble()

QUICK: Final[dict[bytes, Row]] = {
    **_ROWS,
    **{name.lower(): row for name, row in _ROWS.items()},
    **{name.capitalize(): row for name, row in _ROWS.items()},
}
"""By the three spellings that clients use, so that a look-up seldom changes case first."""
