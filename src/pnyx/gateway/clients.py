"""The rows of CLIENT: who is connected, under which name, and who must go."""

import time
from collections.abc import Callable
from typing import Final

from pnyx.gateway.client import Client, Mute
from pnyx.gateway.greeting import USER, is_plain_name
from pnyx.gateway.keyspace import help_text
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.rows import SILENCE, LocalReply, Row, container
from pnyx.gateway.words import SYNTAX, integer, text_of
from pnyx.machine.results import OK, Refusal
from pnyx.transport.resp import Verbatim


def _id(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    return client.id


def _getname(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    return client.name or None


def _setname(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    if not is_plain_name(words[2]):
        return Refusal("ERR Client names cannot contain spaces, newlines or special characters.")
    client.name = words[2]
    return OK


def _setinfo(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    option = words[2].lower()
    if option not in {b"lib-name", b"lib-ver"}:
        return Refusal(f"ERR Unrecognized option '{text_of(words[2])}'")
    if not is_plain_name(words[3]):
        return Refusal(
            f"ERR {option.decode()} cannot contain spaces, newlines or special characters."
        )
    if option == b"lib-name":
        client.library_name = words[3]
    else:
        client.library_version = words[3]
    return OK


def _line(client: Client, now_ms: int) -> bytes:
    requests, replies = client.held_bytes()
    transaction = client.transaction
    flags = ("x" if transaction is not None else "") + ("r" if client.reads_here else "")
    flags += "e" if client.no_evict else ""
    flags += "T" if client.no_touch else ""
    fields = (
        ("id", client.id),
        ("addr", client.address),
        ("laddr", client.local_address),
        ("fd", -1),
        ("name", client.name.decode()),
        ("age", (now_ms - client.connected_ms) // 1000),
        ("idle", max(now_ms - client.last_ms, 0) // 1000),
        ("flags", flags or "N"),
        ("db", 0),
        ("sub", 0),
        ("psub", 0),
        ("ssub", 0),
        ("multi", len(transaction.queued) if transaction is not None else -1),
        ("watch", len(client.watched)),
        ("qbuf", requests),
        ("qbuf-free", 0),
        ("argv-mem", 0),
        ("multi-mem", transaction.bytes if transaction is not None else 0),
        ("rbs", 0),
        ("rbp", 0),
        ("obl", 0),
        ("oll", 1 if replies else 0),
        ("omem", replies),
        ("tot-mem", requests + replies),
        ("events", "r"),
        ("cmd", _last_command(client)),
        ("user", USER.decode()),
        ("redir", -1),
        ("resp", client.protocol),
        ("lib-name", client.library_name.decode()),
        ("lib-ver", client.library_version.decode()),
    )
    return " ".join(f"{name}={value}" for name, value in fields).encode()


_CONTAINERS: Final = {
    b"client",
    b"config",
    b"cluster",
    b"command",
    b"object",
    b"memory",
    b"slowlog",
}


def _last_command(client: Client) -> str:
    words = [word.lower()[:64] for word in client.last_words[:2]]
    if not words:
        return "NULL"
    kept = words if words[0] in _CONTAINERS else words[:1]
    name = b"|".join(kept).decode("ascii", "replace")
    return name if name.isprintable() and " " not in name else "NULL"


def _info(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    return Verbatim(_line(client, int(time.monotonic() * 1000)) + b"\n")


_KINDS: Final = frozenset({b"normal", b"master", b"replica", b"slave", b"pubsub"})


def _list(lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    chosen = list(lobby.clients.values())
    if len(words) == 4 and words[2].upper() == b"TYPE":
        kind = words[3].lower()
        if kind not in _KINDS:
            return Refusal(f"ERR Unknown client type '{text_of(words[3])}'")
        chosen = chosen if kind == b"normal" else []
    elif len(words) > 3 and words[2].upper() == b"ID":
        wanted = [integer(word) for word in words[3:]]
        if None in wanted:
            return Refusal("ERR Invalid client ID")
        chosen = [client for client in chosen if client.id in wanted]
    elif len(words) != 2:
        return SYNTAX
    now_ms = int(time.monotonic() * 1000)
    return Verbatim(b"".join(_line(client, now_ms) + b"\n" for client in chosen))


def _kill(lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    if len(words) == 3:
        found = [one for one in lobby.clients.values() if one.address.encode() == words[2]]
        if not found:
            return Refusal("ERR No such client")
        _drop(found, client)
        return OK
    skip_me = True
    tests: list[Callable[[Client], bool]] = []
    for at in range(2, len(words), 2):
        if at + 1 == len(words):
            return SYNTAX
        option, value = words[at], words[at + 1]
        if option.upper() == b"SKIPME":
            if value.lower() not in {b"yes", b"no"}:
                return SYNTAX
            skip_me = value.lower() == b"yes"
            continue
        test = _kill_test(option.upper(), value)
        if isinstance(test, Refusal):
            return test
        tests.append(test)
    found = [one for one in lobby.clients.values() if all(test(one) for test in tests)]
    if skip_me:
        found = [one for one in found if one is not client]
    _drop(found, client)
    return len(found)


def _kill_test(option: bytes, value: bytes) -> Callable[[Client], bool] | Refusal:
    if option == b"ID":
        number = integer(value)
        if number is None or number < 1:
            return Refusal("ERR client-id should be greater than 0")
        return lambda one: one.id == number
    if option == b"USER":
        known = value == USER
        return _everyone if known else Refusal(f"ERR No such user '{text_of(value)}'")
    if option == b"TYPE":
        kind = value.lower()
        is_normal = kind == b"normal"
        unknown = Refusal(f"ERR Unknown client type '{text_of(value)}'")
        return (lambda _one: is_normal) if kind in _KINDS else unknown
    if option in {b"ADDR", b"LADDR"}:
        here = option == b"LADDR"
        return lambda one: (one.local_address if here else one.address).encode() == value
    return SYNTAX


def _everyone(_client: Client) -> bool:
    return True


def _drop(found: list[Client], asking: Client) -> None:
    for one in found:
        if one is asking:
            one.is_closing = True
        else:
            one.close()


def _on_off(word: bytes) -> bool | None:
    return {b"on": True, b"off": False}.get(word.lower())


def _no_evict(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    wanted = _on_off(words[2])
    if wanted is None:
        return SYNTAX
    client.no_evict = wanted
    return OK


def _no_touch(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    wanted = _on_off(words[2])
    if wanted is None:
        return SYNTAX
    client.no_touch = wanted
    return OK


_ENDPOINTS: Final = frozenset(
    {b"internal-ip", b"internal-fqdn", b"external-ip", b"external-fqdn", b"none"}
)
_NO_NOTICES: Final = Refusal(
    "ERR maintenance notifications are for the cluster port and RESP3: this connection is never "
    "told to go elsewhere"
)


def _maint_notifications(lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    wanted = _on_off(words[2])
    if wanted is None or len(words) not in {3, 5}:
        return SYNTAX
    if len(words) == 5 and (
        words[3].lower() != b"moving-endpoint-type" or words[4].lower() not in _ENDPOINTS
    ):
        return SYNTAX
    if wanted and not (client.speaks_cluster and client.protocol == 3):
        return _NO_NOTICES
    client.wants_notices = wanted
    lobby.notices.begin(lobby.store.topology())
    return OK


def _reply(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    match words[2].lower():
        case b"on":
            client.mute = Mute.SPEAKING
            return OK
        case b"off":
            client.mute = Mute.SILENT
        case b"skip":
            if client.mute is not Mute.SILENT:
                client.mute = Mute.SKIPPING_NEXT
        case _:
            return SYNTAX
    return SILENCE


def _tracking(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    wanted = _on_off(words[2])
    if wanted is None:
        return SYNTAX
    if not wanted:
        return OK
    return Refusal("ERR client tracking is not supported: switch client-side caching off")


def _getredir(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return -1


def _help(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return help_text(
        "CLIENT", "GETNAME", "GETREDIR", "HELP", "ID", "INFO", "KILL <addr:port>",
        "KILL <option> <value> [<option> <value> ...]", "LIST [TYPE <type> | ID <id> ...]",
        "MAINT_NOTIFICATIONS (ON|OFF)", "NO-EVICT (ON|OFF)", "NO-TOUCH (ON|OFF)",
        "REPLY (ON|OFF|SKIP)", "SETINFO <lib-name|lib-ver> <value>", "SETNAME <name>",
        "TRACKING OFF",
    )  # fmt: skip


_ANY: Final = "noscript loading stale"
_ADMIN: Final = "admin noscript loading stale"


def _member(  # noqa: PLR0917 - a row reads across
    name: str, arity: int, flags: str, since: str, summary: str,
    local: Callable[[Lobby, Client, list[bytes]], LocalReply], tips: str = "",
) -> Row:  # fmt: skip
    return Row(
        f"client|{name}", arity, flags, "connection", since, summary,
        local=local, categories="connection", tips=tips,
    )  # fmt: skip


ROWS: Final = (
    container(
        "client", "connection", "2.4.0", "Look at and change connections",
        _member("getname", 2, _ANY, "2.6.9", "Return this connection's name", _getname),
        _member("getredir", 2, _ANY, "6.0.0", "Return -1: nothing is tracked", _getredir),
        _member("help", 2, "loading stale", "5.0.0", "Show the subcommands", _help),
        _member("id", 2, _ANY, "5.0.0", "Return this connection's number", _id),
        _member("info", 2, _ANY, "6.2.0", "Describe this connection", _info,
                "nondeterministic_output"),
        _member("kill", -3, _ADMIN, "2.4.0", "Drop connections", _kill),
        _member("list", -2, _ADMIN, "2.4.0", "Describe all connections of this node", _list,
                "nondeterministic_output"),
        _member("maint_notifications", -3, _ANY, "8.4.0", "Be told of shards that move",
                _maint_notifications),
        _member("no-evict", 3, _ADMIN, "7.0.0", "Spare this connection when memory is short",
                _no_evict),
        _member("no-touch", 3, _ANY, "7.2.0", "Accepted: use of keys is not tracked", _no_touch),
        _member("reply", 3, _ANY, "3.2.0", "Choose which replies to get", _reply),
        _member("setinfo", 4, _ANY, "7.2.0", "Tell the client library's name or version",
                _setinfo),
        _member("setname", 3, _ANY, "2.6.9", "Name this connection", _setname),
        _member("tracking", -3, _ANY, "6.0.0", "Refused: keys are not tracked", _tracking),
    ),
)  # fmt: skip
