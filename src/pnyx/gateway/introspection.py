"""COMMAND: the table told to clients, which route by its key positions."""

from collections.abc import Callable, Mapping
from typing import Final

from pnyx.gateway.client import Client
from pnyx.gateway.keyspace import help_text
from pnyx.gateway.limits import DESCRIBED_MAX
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.rows import KeySpec, LocalReply, Row, by_last_name
from pnyx.gateway.words import SYNTAX
from pnyx.machine.glob import PATTERN_BYTES_MAX, Glob
from pnyx.machine.results import Refusal, Status, Values
from pnyx.transport.resp import Encoded, Map, Reply, Rows, Unordered

Table = Mapping[bytes, Row]
"""Rows by upper-case name."""


def _statuses(names: str) -> tuple[Status, ...]:
    return tuple(Status(name.encode()) for name in names.split())


def _spec(spec: KeySpec) -> Reply:
    # `last` is relative to `first` from here on, as Redis 7 tells it.
    last = spec.last
    return Map(
        (
            (b"flags", Unordered(_statuses(spec.flags))),
            (
                b"begin_search",
                Map(((b"type", b"index"), (b"spec", Map(((b"index", spec.first),))))),
            ),
            (
                b"find_keys",
                Map(
                    (
                        (b"type", b"range"),
                        (
                            b"spec",
                            Map(((b"lastkey", last), (b"keystep", spec.step), (b"limit", 0))),
                        ),
                    )
                ),
            ),
        )
    )


def describe(row: Row) -> Reply:
    """Return the ten elements of COMMAND INFO."""
    categories = tuple(Status(name.encode()) for name in row.acl_categories())
    return Rows(
        (
            row.name.encode(),
            row.arity,
            Unordered(_statuses(row.flags)),
            *row.keys,
            Unordered(categories),
            Unordered(tuple(tip.encode() for tip in row.tips.split())),
            Unordered(tuple(_spec(spec) for spec in row.specs)),
            Unordered(tuple(describe(member) for member in row.subcommands.values())),
        )
    )


def document(row: Row) -> Reply:
    """Return the members of COMMAND DOCS."""
    fields: list[tuple[Reply, Reply]] = [
        (b"summary", row.summary.encode()),
        (b"since", row.since.encode()),
        (b"group", row.group.encode()),
        (b"complexity", row.complexity.encode()),
    ]
    if row.subcommands:
        members = tuple(
            (member.name.encode(), document(member)) for member in row.subcommands.values()
        )
        fields.append((b"subcommands", Map(members)))
    return Map(tuple(fields))


def find(table: Table, words: list[bytes]) -> Row | None:
    """Return the row that `words` name, the subcommand's where there is one."""
    row = table.get(words[0].upper())
    if row is not None and row.subcommands and len(words) > 1:
        return row.subcommands.get(words[1].lower())
    return row


def _named(table: Table, name: bytes) -> Row | None:
    first, bar, member = name.partition(b"|")
    row = table.get(first.upper())
    if row is None or not bar:
        return row
    return row.subcommands.get(member.lower())


_MANY_NAMES: Final = Refusal(f"ERR PX0201 at most {DESCRIBED_MAX} commands are described at once")

_DESCRIBED: Final[dict[str, Encoded]] = {}
_DOCUMENTED: Final[dict[str, Encoded]] = {}
"""By name, made when first asked for: the table never changes."""


def _described(row: Row) -> Encoded:
    if row.name not in _DESCRIBED:
        _DESCRIBED[row.name] = Encoded.of(describe(row))
    return _DESCRIBED[row.name]


def _documented(row: Row) -> Encoded:
    if row.name not in _DOCUMENTED:
        _DOCUMENTED[row.name] = Encoded.of(document(row))
    return _DOCUMENTED[row.name]


def _info(table: Table, words: list[bytes]) -> LocalReply:
    if len(words) == 2:
        return Rows(tuple(_described(row) for row in table.values()))
    if len(words) - 2 > DESCRIBED_MAX:
        return _MANY_NAMES
    found = [_named(table, name) for name in words[2:]]
    return Rows(tuple(None if row is None else _described(row) for row in found))


def _docs(table: Table, words: list[bytes]) -> LocalReply:
    if len(words) - 2 > DESCRIBED_MAX:
        return _MANY_NAMES
    asked = [_named(table, name) for name in words[2:]] if len(words) > 2 else table.values()
    rows = [row for row in asked if row is not None]
    return Map(tuple((row.name.encode(), _documented(row)) for row in rows))


def _list(table: Table, words: list[bytes]) -> LocalReply:
    rows = list(table.values())
    if len(words) == 2:
        return Values(tuple(row.name.encode() for row in rows))
    if len(words) != 5 or words[2].upper() != b"FILTERBY":
        return SYNTAX
    every = [member for row in rows for member in (row, *row.subcommands.values())]
    kind, value = words[3].upper(), words[4]
    if kind == b"ACLCAT":
        wanted = "@" + value.decode("utf-8", "replace").lower()
        return Values(tuple(row.name.encode() for row in every if wanted in row.acl_categories()))
    if kind == b"PATTERN":
        if len(value) > PATTERN_BYTES_MAX:
            return Refusal(f"ERR PX0201 a pattern may have {PATTERN_BYTES_MAX} bytes")
        glob = Glob(value.lower())
        return Values(tuple(row.name.encode() for row in every if glob.matches(row.name.encode())))
    return Values(()) if kind == b"MODULE" else SYNTAX


def _keyed(table: Table, words: list[bytes]) -> Row | Refusal:
    row = find(table, words)
    if row is None:
        return Refusal("ERR Invalid command specified")
    if not row.keys[0]:
        return Refusal("ERR The command has no key arguments")
    if not row.least <= len(words) <= row.most:
        return Refusal("ERR Invalid number of arguments specified for command")
    return row


def _getkeys(table: Table, words: list[bytes]) -> LocalReply:
    row = _keyed(table, words[2:])
    return row if isinstance(row, Refusal) else Values(tuple(row.keys_of(words[2:])))


def _access(row: Row, spec: KeySpec, words: list[bytes]) -> str:
    """Return what these words do to the keys of `spec`: of SET and BITFIELD not always the same.

    Source: setGetKeys and bitfieldGetKeys of Redis 7.0, db.c.
    """
    if row.name == "set":
        gets = any(word.upper() == b"GET" for word in words[3:])
        return "RW access update" if gets else "OW update"
    if row.name != "bitfield":
        return spec.flags
    at = 2
    while at < len(words):
        taken = _BITFIELD_READS.get(words[at].upper(), 0)
        if not 0 < taken <= len(words) - at:
            return "RW access update"
        at += taken
    return "RO access"


_BITFIELD_READS: Final = {b"GET": 3, b"OVERFLOW": 2}
"""Parts of BITFIELD that write nothing, to their words."""


def _getkeysandflags(table: Table, words: list[bytes]) -> LocalReply:
    asked = words[2:]
    row = _keyed(table, asked)
    if isinstance(row, Refusal):
        return row
    found: list[Reply] = []
    for spec in row.specs:
        end = len(asked) + spec.last + 1 if spec.last < 0 else spec.first + spec.last + 1
        flags = Encoded.of(Unordered(_statuses(_access(row, spec, asked))))
        found += [Rows((key, flags)) for key in asked[spec.first : end : spec.step]]
    return Rows(tuple(found))


def rows(table: Table) -> tuple[Row, ...]:
    """Return the rows of COMMAND, which speak of `table`, themselves included."""

    def local(answer: Callable[[Table, list[bytes]], LocalReply]) -> Callable[..., LocalReply]:
        return lambda _lobby, _client, words: answer(table, words)

    def whole(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
        return Rows(tuple(_described(row) for row in table.values()))

    def usage(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
        return help_text(
            "COMMAND", "(no subcommand)", "COUNT", "DOCS [<name> ...]", "GETKEYS <command>",
            "GETKEYSANDFLAGS <command>", "HELP", "INFO [<name> ...]",
            "LIST [FILTERBY (ACLCAT|PATTERN|MODULE) <value>]",
        )  # fmt: skip

    flags, order = "loading stale", "nondeterministic_output_order"
    members = (
        Row("command|count", 2, flags, "server", "2.8.13", "Count the commands",
            local=local(lambda table, _words: len(table)), categories="connection"),
        Row("command|docs", -2, flags, "server", "7.0.0", "Describe commands for people",
            local=local(_docs), categories="connection", tips=order),
        Row("command|getkeys", -4, flags, "server", "2.8.13", "Return the keys of a command",
            local=local(_getkeys), categories="connection"),
        Row("command|getkeysandflags", -4, flags, "server", "7.0.0",
            "Return the keys of a command and what is done to them",
            local=local(_getkeysandflags), categories="connection"),
        Row("command|help", 2, flags, "server", "5.0.0", "Show the subcommands", local=usage,
            categories="connection"),
        Row("command|info", -2, flags, "server", "2.8.13", "Describe commands for clients",
            local=local(_info), categories="connection", tips=order),
        Row("command|list", -2, flags, "server", "7.0.0", "Return the commands' names",
            local=local(_list), categories="connection", tips=order),
    )  # fmt: skip
    return (
        Row("command", -1, flags, "server", "2.8.13", "Describe commands", local=whole,
            subcommands=by_last_name(members), categories="connection", tips=order),
    )  # fmt: skip
