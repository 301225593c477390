"""CONFIG: the parameters that tools ask for. A few can be set, on this node and until it stops."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from pnyx.gateway.client import Client
from pnyx.gateway.keyspace import help_text
from pnyx.gateway.limits import GLOBS_BYTES_MAX
from pnyx.gateway.lobby import Counters, Lobby
from pnyx.gateway.rows import LocalReply, Row, container
from pnyx.gateway.words import INTEGER_MAX, SYNTAX, integer, text_of
from pnyx.machine.glob import Glob
from pnyx.machine.results import OK, Pairs, Refusal

_WILDCARD: Final = re.compile(rb"[*?[]")
"""Redis looks a name without any of these up, a backslash included."""

_LONG_GLOBS: Final = Refusal(
    f"ERR PX0201 the patterns of one CONFIG GET may have {GLOBS_BYTES_MAX} bytes together; "
    "nothing was returned, ask for fewer at once"
)
_IMMUTABLE: Final = "can't set immutable config"


Change: TypeAlias = Callable[[], None]
Accept: TypeAlias = Callable[[Lobby, bytes], Change | str]
"""Returns what sets the value, or what is wrong with it. Sets nothing itself: of the values of one
CONFIG SET all are taken or none."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: how it reads, and how a new value is taken."""

    read: Callable[[Lobby, Client], object]
    accept: Accept | None = None


def _no_change() -> None:
    pass


def _fixed(value: object) -> Parameter:
    """A parameter whose value is what pnyx always does: it may be set to just that."""
    shown = str(value).encode()

    def accept(_lobby: Lobby, asked: bytes) -> Change | str:
        if asked.lower() == shown:
            return _no_change
        return f"pnyx always has {shown.decode() or 'it empty'}; {_IMMUTABLE}"

    return Parameter(lambda _lobby, _client: value, accept)


def _number(least: int, most: int, write: Callable[[Lobby, int], None]) -> Accept:
    def accept(lobby: Lobby, word: bytes) -> Change | str:
        number = integer(word)
        if number is None:
            return "argument couldn't be parsed into an integer"
        if not least <= number <= most:
            return f"argument must be between {least} and {most} inclusive"
        return partial(write, lobby, number)

    return accept


def _write_timeout(lobby: Lobby, seconds: int) -> None:
    lobby.limits.idle_seconds = seconds


def _write_clients(lobby: Lobby, number: int) -> None:
    lobby.limits.clients_max = number


def _accept_clients(lobby: Lobby, word: bytes) -> Change | str:
    most = lobby.store.settings.limits.clients_max
    number = integer(word)
    if number is not None and most < number < 2**32:
        return f"limits.clients_max of the settings is {most}"
    return _number(1, 2**32 - 1, _write_clients)(lobby, word)


def _write_slower_than(lobby: Lobby, micros: int) -> None:
    lobby.slow_log.slower_than_micros = micros


SLOW_LOG_LENGTH_MAX: Final = 10_000
"""Events that `slowlog-max-len` may ask for."""


def _write_slow_length(lobby: Lobby, number: int) -> None:
    lobby.slow_log.length_max = number
    lobby.slow_log.trim()


def _output_limits(lobby: Lobby, _client: Client) -> str:
    limits = lobby.limits
    soft = f"{limits.output_bytes_soft_max} {limits.output_soft_seconds:.0f}"
    return f"normal {limits.output_bytes_max} {soft} slave 0 0 0 pubsub 0 0 0"


PARAMETERS: Final[dict[bytes, Parameter]] = {
    b"activedefrag": _fixed("no"),
    b"aof-use-rdb-preamble": _fixed("yes"),
    b"appendfsync": _fixed("always"),
    b"appendonly": _fixed("yes"),
    b"bind": Parameter(lambda lobby, _client: lobby.store.settings.me.host),
    b"client-output-buffer-limit": Parameter(_output_limits),
    b"client-query-buffer-limit": Parameter(lambda lobby, _client: lobby.limits.query_bytes_max),
    b"cluster-announce-ip": Parameter(lambda lobby, _client: lobby.store.settings.me.host),
    b"cluster-enabled": Parameter(lambda _lobby, client: "yes" if client.speaks_cluster else "no"),
    b"cluster-require-full-coverage": _fixed("yes"),
    b"databases": Parameter(lambda _lobby, _client: 1),
    b"dir": Parameter(lambda lobby, _client: lobby.store.settings.data),
    b"hz": _fixed(10),
    b"lazyfree-lazy-user-del": _fixed("no"),
    b"maxclients": Parameter(lambda lobby, _client: lobby.limits.clients_max, _accept_clients),
    b"maxmemory": _fixed(0),
    b"maxmemory-policy": _fixed("noeviction"),
    b"min-replicas-to-write": _fixed(0),
    b"notify-keyspace-events": _fixed(""),
    b"port": Parameter(
        lambda lobby, client: (
            lobby.store.settings.me.cluster_port
            if client.speaks_cluster
            else lobby.store.settings.me.gateway_port
        )
    ),
    b"proto-max-bulk-len": Parameter(lambda lobby, _client: lobby.limits.value_bytes_max),
    b"protected-mode": Parameter(
        lambda lobby, _client: "no" if lobby.store.settings.insecure else "yes"
    ),
    b"requirepass": Parameter(
        lambda lobby, _client: lobby.password,
        lambda lobby, word: partial(lobby.set_password, word),
    ),
    b"save": _fixed(""),
    b"slowlog-log-slower-than": Parameter(
        lambda lobby, _client: lobby.slow_log.slower_than_micros,
        _number(-1, INTEGER_MAX, _write_slower_than),
    ),
    b"slowlog-max-len": Parameter(
        lambda lobby, _client: lobby.slow_log.length_max,
        _number(0, SLOW_LOG_LENGTH_MAX, _write_slow_length),
    ),
    b"timeout": Parameter(
        lambda lobby, _client: int(lobby.limits.idle_seconds),
        _number(0, 2**31 - 1, _write_timeout),
    ),
}


def _get(lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    globs: dict[bytes, None] = {}
    found: dict[bytes, bytes] = {}
    """What is found, as it was asked for: a name without wildcards keeps its spelling."""
    for asked in words[2:]:
        name = asked.lower()
        if _WILDCARD.search(name) is not None:
            globs[name] = None
        elif name in PARAMETERS:
            found.setdefault(name, asked)
    if sum(map(len, globs)) > GLOBS_BYTES_MAX:
        return _LONG_GLOBS
    for glob in map(Glob, globs):
        found |= {name: name for name in PARAMETERS if name not in found and glob.matches(name)}
    values = ((shown, PARAMETERS[name].read(lobby, client)) for name, shown in found.items())
    return Pairs(tuple((shown, _bytes_of(value)) for shown, value in values))


def _bytes_of(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _set(lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    if len(words) % 2:
        return SYNTAX
    names = [name.lower() for name in words[2::2]]
    for name, spelled in zip(names, words[2::2], strict=True):
        if name not in PARAMETERS:
            return Refusal(
                f"ERR Unknown option or number of arguments for CONFIG SET - '{text_of(spelled)}'"
            )
    for at, name in enumerate(names):
        if name in names[:at]:
            return _failed(name, "duplicate parameter")
        if PARAMETERS[name].accept is None:
            return _failed(name, _IMMUTABLE)
    changes: list[Change] = []
    for name, value in zip(names, words[3::2], strict=True):
        accept = PARAMETERS[name].accept
        assert accept is not None, "checked above"
        change = accept(lobby, value)
        if isinstance(change, str):
            return _failed(name, change)
        changes.append(change)
    for write in changes:
        write()
    return OK


def _failed(name: bytes, why: str) -> Refusal:
    shown = name.decode()
    return Refusal(f"ERR CONFIG SET failed (possibly related to argument '{shown}') - {why}")


def _resetstat(lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    lobby.counters = Counters()
    return OK


def _rewrite(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return Refusal(
        "ERR Rewriting config file: pnyx never writes its settings file; edit it and restart"
    )


def _help(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return help_text("CONFIG", "GET <pattern> ...", "HELP", "RESETSTAT", "SET <name> <value> ...")


_ADMIN: Final = "admin noscript loading stale"

ROWS: Final = (
    container(
        "config", "server", "2.0.0", "Look at and change parameters",
        Row("config|get", -3, _ADMIN, "server", "2.0.0", "Return parameters", local=_get),
        Row("config|help", 2, "loading stale", "server", "5.0.0", "Show the subcommands",
            local=_help),
        Row("config|resetstat", 2, _ADMIN, "server", "2.0.0", "Set INFO's counters to zero",
            local=_resetstat),
        Row("config|rewrite", 2, _ADMIN, "server", "2.8.0", "Refused: settings are not written",
            local=_rewrite),
        Row("config|set", -4, _ADMIN, "server", "2.0.0",
            "Change parameters of this node until it stops", local=_set,
            tips="request_policy:all_nodes response_policy:all_succeeded"),
    ),
)  # fmt: skip
