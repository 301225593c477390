"""docs/reference/redis-commands.md, made from the table: ``python -m pnyx.gateway.reference``."""

import sys
from collections.abc import Iterator

from pnyx.gateway.rows import Row
from pnyx.gateway.table import TABLE

_HEAD = """\
# Redis commands

Which Redis commands pnyx answers. This page is made from the command table (`python -m
pnyx.gateway.reference`); a test compares the two. Words, replies and errors are those of Redis 7;
what differs is in [redis-differences.md](redis-differences.md). A command that is not listed is
refused at once.

*Words* counts the words with the command's name, `-n` means at least n. *Keys* gives the positions
of keys: first, last (negative: from the end), step. *Kind* is `write` for commands that go through
the log, `read` for those that are answered behind a read barrier, `here` for those that the
connected node answers itself.
"""
_GROUPS = {
    "string": "Strings",
    "bitmap": "Bits",
    "generic": "Keys",
    "transactions": "Transactions",
    "sessions": "Sessions",
    "connection": "Connection",
    "server": "Server",
    "cluster": "Cluster",
    "scripting": "Scripting",
}


def page() -> str:
    """Return the whole page."""
    rows = [member for row in TABLE.values() for member in _with_members(row)]
    unknown = {row.group for row in rows} - set(_GROUPS)
    assert not unknown, f"no heading for {sorted(unknown)}"
    parts = [_HEAD]
    for group, title in _GROUPS.items():
        lines = [_line(row) for row in rows if row.group == group]
        parts.append(
            f"\n## {title}\n\n| command | words | keys | kind | since Redis | what it does |\n"
            "|---|---|---|---|---|---|\n" + "".join(lines)
        )
    return "".join(parts)


def _with_members(row: Row) -> Iterator[Row]:
    if not row.subcommands or row.local is not None:
        yield row
    yield from row.subcommands.values()


def _line(row: Row) -> str:
    name = row.name.upper().replace("|", " ")
    keys = " ".join(map(str, row.keys)) if row.keys[0] else ""
    kind = "here"
    if row.parse is not None or row.asks:
        kind = "write" if row.is_write else "read"
    since = "pnyx" if name.startswith("PNYX.") else row.since
    return f"| `{name}` | {row.arity} | {keys} | {kind} | {since} | {row.summary} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
