"""get, put, append, incr, cas, del, scan: the store from a shell, by any node's gateway port."""

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, Any, Final, TypeAlias

from cyclopts import Parameter
from hiredis import ProtocolError

from pnyx.cli import running
from pnyx.cli.options import Address, Count, Flag, Password
from pnyx.cli.output import Form, show, show_bytes, text_fields
from pnyx.cli.statuses import NO_QUORUM, NOT_FOUND, OK
from pnyx.errors import LimitExceeded, PnyxError, SettingsWrong
from pnyx.harness.ports import PORT_MAX
from pnyx.harness.resp import Connection, Refused, Unreachable

TOO_LARGE: Final = (
    "ERR Protocol error: invalid bulk length",
    "ERR string exceeds maximum allowed size",
)
"""How a node refuses a value over the limit, and one that would grow over it."""
_READ_IT: Final = "`pnyx get KEY` shows what it is"
EXPLAINED: Final = (
    (
        "NOAUTH",
        "the nodes want a password, and none was given",
        "say --password PASSWORD, or set the variable PNYX_PASSWORD",
    ),
    (
        "WRONGPASS",
        "the password that was given is not what the nodes' `requirepass` says",
        "give that one with --password or the variable PNYX_PASSWORD",
    ),
    (
        "ERR AUTH <password> called without any password",
        "a password was given, and the nodes have none",
        "leave out --password, and unset the variable PNYX_PASSWORD",
    ),
    (
        "ERR value is not an integer",
        "an integer has 64 bits and nothing around it, as -12; the value or the word given is none",
        _READ_IT,
    ),
    ("ERR increment or decrement would overflow", "an integer has 64 bits", _READ_IT),
)
"""How a refusal begins, its cause, and the next step."""

Value: TypeAlias = Annotated[str, Parameter(allow_leading_hyphen=True)]


def get(
    key: str,
    *,
    revision: Flag = False,
    addr: Address = None,
    password: Password = None,
    output: Form = "table",
) -> int:
    """Print the value of a key; exit status 5 if there is none.

    Args:
        key: the key's name.
        revision: print the value's revision instead, which `pnyx cas` wants.
        output: plain prints the bytes alone; table ends them with a new line.
    """
    with connect(addr, password) as connection:
        value = call(connection, "PNYX.GETV" if revision else "GET", key)
    if revision and value is not None:
        value = b"%d" % value[1]
    if value is None:
        print(f"no such key: {key}", file=sys.stderr)
        return NOT_FOUND
    match output:
        case "table":
            show_bytes(value + b"\n")
        case "plain":
            show_bytes(value)
        case _:
            show([text_fields("key", key.encode()) | text_fields("value", value)], (), output)
    return OK


def put(
    key: str,
    value: Value,
    *,
    addr: Address = None,
    password: Password = None,
) -> int:
    """Set a key; returns once a majority holds the value on disk.

    Args:
        key: the key's name.
        value: the value; - reads it from standard input.
    """
    with connect(addr, password) as connection:
        call(connection, "SET", key, _given(value))
    return OK


def append(
    key: str,
    value: Value,
    *,
    addr: Address = None,
    password: Password = None,
) -> int:
    """Append to the value of a key and print its new length in bytes.

    Args:
        key: the key's name; one that does not exist counts as empty.
        value: what to append; - reads it from standard input.
    """
    with connect(addr, password) as connection:
        print(call(connection, "APPEND", key, _given(value)))
    return OK


def incr(
    key: str,
    amount: int = 1,
    *,
    addr: Address = None,
    password: Password = None,
) -> int:
    """Add to the integer that a value is and print the new one.

    Args:
        key: the key's name; one that does not exist counts as 0.
        amount: what to add; may be negative.
    """
    with connect(addr, password) as connection:
        print(call(connection, "INCRBY", key, amount))
    return OK


def cas(
    key: str,
    revision: int,
    value: Value,
    *,
    addr: Address = None,
    password: Password = None,
) -> int:
    """Set a key if it is still at a revision; print the new one, exit status 5 if it is not.

    Args:
        key: the key's name.
        revision: what `pnyx get KEY --revision` said; 0: there must be no such key.
        value: the value; - reads it from standard input.
    """
    with connect(addr, password) as connection:
        reply = call(connection, "PNYX.CAS", key, revision, _given(value))
    if reply is None:
        print(f"{key} is not at revision {revision}; nothing was done", file=sys.stderr)
        return NOT_FOUND
    print(reply)
    return OK


def delete(*keys: str, addr: Address = None, password: Password = None) -> int:
    """Delete keys and print how many there were; exit status 5 if none.

    Args:
        keys: the keys' names.
    """
    if not keys:
        raise SettingsWrong("nothing to delete", next_step="name at least one key")
    with connect(addr, password) as connection:
        count = call(connection, "DEL", *keys)
    print(count)
    return OK if count else NOT_FOUND


def scan(
    pattern: str = "*",
    *,
    limit: Count | None = None,
    addr: Address = None,
    password: Password = None,
    output: Form = "plain",
) -> int:
    """Print the keys that match a glob pattern, in no order.

    Args:
        pattern: a Redis glob, for example 'user:*'.
        limit: stop after so many keys.
        output: plain and jsonl print each key as it comes.
    """
    with connect(addr, password) as connection:
        keys = islice(_keys(connection, pattern), limit)
        show((text_fields("key", key) for key in keys), ("key",), output)
    return OK


def connect(addr: str | None, password: str | None) -> Connection:
    """Return a connection to the given gateway, or to the first that answers of a running demo.

    Raises:
        Unreachable: none answers.
        Refused: the password is wrong, or there is none to be right.
        SettingsWrong: `addr` is no address.
    """
    if addr is not None:
        return _connection(*parsed(addr), password)
    found = running.find()
    if found is None:
        return _connection("127.0.0.1", 6379, password)
    refusal: Unreachable | None = None
    for node in found.nodes:
        try:
            return _connection(node.host, node.gateway_port, password or found.password or None)
        except Unreachable as error:
            refusal = error
    assert refusal is not None, "a demo has nodes"
    raise refusal


def call(connection: Connection, *words: bytes | str | int) -> Any:
    """Return the reply to one command; without a quorum the program ends with status 4.

    Raises:
        Refused, LimitExceeded: the node refused it; nothing was done.
        Unreachable: no reply came, or none that a node gives.
    """
    try:
        return connection.call(*words)
    except Refused as error:
        if error.effect.startswith("CLUSTERDOWN"):
            print(
                f"{error.explain()}\n  next    `pnyx health` shows which nodes are missing",
                file=sys.stderr,
            )
            sys.exit(NO_QUORUM)
        raise _explained(error, words) from error
    except ProtocolError as error:
        raise _no_gateway(connection.address, error) from error


def parsed(addr: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT.

    Raises:
        SettingsWrong: it is not of that form, or no port has that number.
    """
    host, _, port = addr.rpartition(":")
    is_number = port.isdecimal() and len(port) <= len(str(PORT_MAX))
    if not host or not is_number or not 1 <= int(port) <= PORT_MAX:
        raise SettingsWrong(
            f"{addr} is no address",
            cause=f"ports are 1 to {PORT_MAX}" if host and port.isdecimal() else "",
            next_step="write HOST:PORT, for example 127.0.0.1:6379",
        )
    return host.strip("[]"), int(port)


def _connection(host: str, port: int, password: str | None) -> Connection:
    try:
        return Connection(host, port, password=password)
    except Refused as error:
        raise _explained(error, ()) from error
    except ProtocolError as error:
        raise _no_gateway(f"{host}:{port}", error) from error


def _no_gateway(address: str, error: ProtocolError) -> Unreachable:
    return Unreachable(
        f"what answers at {address} is no node's gateway port; nothing was done",
        cause=str(error),
        next_step="name one with --addr HOST:PORT, for example 127.0.0.1:6379",
    )


def _explained(error: Refused, words: Sequence[bytes | str | int]) -> PnyxError:
    """Return what a node refused these words with, and what to do about it."""
    if error.effect.startswith(TOO_LARGE):
        given = max(len(word) for word in words if isinstance(word, bytes | str))
        return LimitExceeded(
            f"the value is too large with the {given:,} bytes given; nothing was done",
            cause="the nodes' limits.value_bytes_max is less (4,194,304 if it is not set)",
            next_step="write less, keep it as a file with `pnyx fs put`, or raise the limit in the "
            "file of every node",
        )
    for beginning, cause, next_step in EXPLAINED:
        if error.effect.startswith(beginning):
            return Refused(error.effect, cause=cause, next_step=next_step)
    return error


def _given(value: str) -> bytes:
    if value == "-":
        return sys.stdin.buffer.read()
    return value.encode(errors="surrogateescape")


def _keys(connection: Connection, pattern: str) -> Iterator[bytes]:
    cursor = b"0"
    while True:
        cursor, keys = call(connection, "SCAN", cursor, "MATCH", pattern, "COUNT", 1_000)
        yield from keys
        if cursor == b"0":
            return
