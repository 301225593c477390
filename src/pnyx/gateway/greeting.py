"""The rows that open and close a conversation: HELLO, AUTH, PING, SELECT, RESET, QUIT."""

import time
from collections.abc import Callable
from typing import Final

from pnyx.gateway.client import Client
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.rows import LocalReply, Pause, Row, wrong_arity
from pnyx.gateway.words import NOT_INTEGER, SYNTAX, integer, text_of
from pnyx.machine.results import OK, Refusal, Status, Values
from pnyx.transport.resp import Map, Reply

REDIS_VERSION: Final = "7.4.0"
"""What clients are told: they decide by it which commands they may send."""

USER: Final = b"default"
WRONGPASS: Final = Refusal("WRONGPASS invalid username-password pair or user is disabled.")
_NO_PASSWORD_SET: Final = Refusal(
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
_GUESSING: Final = Refusal(
    "ERR PX0205 too many wrong passwords from this address: wait half a minute, then try again"
)
_HELLO_NOAUTH: Final = Refusal(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
    "RESP protocol version at the same time"
)
_NO_INT: Final = Refusal("ERR value is out of range, value must between -2147483648 and 2147483647")
_BAD_NAME: Final = Refusal(
    "ERR Client names cannot contain spaces, newlines or special characters."
)


def is_plain_name(name: bytes) -> bool:
    """May this be a client's name: printable ASCII without blanks, as CLIENT LIST needs?"""
    return all(0x21 <= byte <= 0x7E for byte in name)


def role_of(lobby: Lobby, client: Client) -> str:
    """Return master or replica; the gateway port takes every write, so it is always a master."""
    if not client.speaks_cluster:
        return "master"
    topology = lobby.store.topology()
    return "master" if topology.led_by(topology.me) else "replica"


def _judged(
    lobby: Lobby, client: Client, user: bytes, password: bytes, then: Callable[[], Reply]
) -> LocalReply:
    """Answer `then()` if the password is right, at once or when the address has served its wait."""
    if not lobby.wants_password:
        if user != USER:
            return WRONGPASS
        return then()
    host = client.address.rsplit(":", 1)[0]
    delay = lobby.throttle.delay_seconds(host, time.monotonic())
    if delay is None:
        return _GUESSING

    def judge() -> Reply:
        right = lobby.is_password(password)
        if right and user == USER:
            client.is_authenticated = True
            lobby.throttle.passed(host)
            return then()
        lobby.throttle.failed(host, time.monotonic())
        lobby.counters.denied_passwords += 1
        return WRONGPASS

    return Pause(delay, judge) if delay > 0 else judge()


def _auth(lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    if len(words) > 3:
        return SYNTAX
    if len(words) == 2 and not lobby.wants_password:
        return _NO_PASSWORD_SET
    user = words[1] if len(words) == 3 else USER
    return _judged(lobby, client, user, words[-1], lambda: OK)


def _hello_options(
    words: list[bytes],
) -> tuple[tuple[bytes, bytes] | None, bytes | None] | Refusal:
    """Return the user and password, and the name."""
    credentials: tuple[bytes, bytes] | None = None
    name: bytes | None = None
    at = 0
    while at < len(words):
        option = words[at].upper()
        left = len(words) - at - 1
        if option == b"AUTH" and left >= 2:
            credentials = (words[at + 1], words[at + 2])
            at += 3
        elif option == b"SETNAME" and left >= 1:
            name = words[at + 1]
            if not is_plain_name(name):
                return _BAD_NAME
            at += 2
        else:
            return Refusal(f"ERR Syntax error in HELLO option '{text_of(words[at])}'")
    return credentials, name


def _hello(lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    protocol = client.protocol
    if len(words) > 1:
        asked = integer(words[1])
        if asked is None:
            return Refusal("ERR Protocol version is not an integer or out of range")
        if asked not in {2, 3}:
            return Refusal("NOPROTO unsupported protocol version")
        protocol = asked
    options = _hello_options(words[2:])
    if isinstance(options, Refusal):
        return options
    credentials, name = options

    def greet() -> Reply:
        if not client.is_authenticated:
            return _HELLO_NOAUTH
        if name is not None:
            client.name = name
        client.protocol = protocol
        return _greeting(lobby, client)

    if credentials is None:
        return greet()
    return _judged(lobby, client, *credentials, greet)


def _greeting(lobby: Lobby, client: Client) -> Reply:
    return Map(
        (
            (b"server", b"redis"),
            (b"version", REDIS_VERSION.encode()),
            (b"proto", client.protocol),
            (b"id", client.id),
            (b"mode", b"cluster" if client.speaks_cluster else b"standalone"),
            (b"role", role_of(lobby, client).encode()),
            (b"modules", Values(())),
        )
    )


def _ping(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    if len(words) > 2:
        return wrong_arity("ping")
    return words[1] if len(words) == 2 else PONG


PONG: Final = Status(b"PONG")


def _echo(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    return words[1]


def _select(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    number = integer(words[1])
    if number is None:
        return NOT_INTEGER
    if number == 0:
        return OK
    if not -(2**31) <= number < 2**31:
        return _NO_INT
    if client.speaks_cluster:
        return Refusal("ERR SELECT is not allowed in cluster mode")
    return Refusal("ERR DB index is out of range")


def _quit(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    client.is_closing = True
    return OK


def _reset(lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    client.reset()
    client.is_authenticated = not lobby.wants_password
    return Status(b"RESET")


def _readonly(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    if not client.speaks_cluster:
        return NO_CLUSTER
    client.reads_here = True
    return OK


def _readwrite(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    if not client.speaks_cluster:
        return NO_CLUSTER
    client.reads_here = False
    return OK


def _asking(_lobby: Lobby, client: Client, _words: list[bytes]) -> LocalReply:
    return OK if client.speaks_cluster else NO_CLUSTER


NO_CLUSTER: Final = Refusal("ERR This instance has cluster support disabled")

_EARLY: Final = "noscript loading stale fast no_auth allow_busy"

ROWS: Final = (
    Row("ping", -1, "fast", "connection", "1.0.0", "Return PONG or the message",
        local=_ping, categories="connection",
        tips="request_policy:all_shards response_policy:all_succeeded"),
    Row("echo", 2, "loading stale fast", "connection", "1.0.0", "Return the message",
        local=_echo, categories="connection"),
    Row("hello", -1, _EARLY, "connection", "6.0.0", "Greet: protocol version, password, name",
        local=_hello, waits=True, categories="connection"),
    Row("auth", -2, _EARLY, "connection", "1.0.0", "Give the password",
        local=_auth, waits=True, categories="connection"),
    Row("select", 2, "loading stale fast", "connection", "1.0.0", "Choose database 0",
        local=_select, categories="connection"),
    Row("quit", -1, _EARLY, "connection", "1.0.0", "Hang up", local=_quit,
        categories="connection", waits=True),
    Row("reset", 1, _EARLY, "connection", "6.2.0", "Forget all of the connection's state",
        local=_reset, waits=True, categories="connection"),
    Row("readonly", 1, "loading stale fast", "cluster", "3.0.0",
        "Let a replica answer this connection's reads", local=_readonly,
        categories="connection"),
    Row("readwrite", 1, "loading stale fast", "cluster", "3.0.0",
        "Let only the leader's node answer", local=_readwrite, categories="connection"),
    Row("asking", 1, "fast", "cluster", "3.0.0", "Accepted, without effect: pnyx never says ASK",
        local=_asking, categories="connection"),
)  # fmt: skip
