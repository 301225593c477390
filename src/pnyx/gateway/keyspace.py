"""The rows of the commands about keys: deleting, expiry, renaming, scanning."""

import re
from collections.abc import Callable
from secrets import randbits
from typing import Final

from pnyx.gateway.client import Client
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.rows import Ask, KeySpec, LocalReply, Row, container
from pnyx.gateway.words import NOT_INTEGER, SYNTAX, UNITS, any_expiry, integer, text_of
from pnyx.machine.commands import (
    AnyCommand,
    Condition,
    Copy,
    DbSize,
    Del,
    Encoding,
    Exists,
    Expire,
    FlushAll,
    Keys,
    MemoryUsage,
    Persist,
    RandomKey,
    Rename,
    Scan,
    Ttl,
    Type,
)
from pnyx.machine.results import Refusal, Status, Values

COUNT_MAX: Final = 1000
"""Keys that one SCAN visits, whatever COUNT says (T10)."""


def _del(words: list[bytes]) -> AnyCommand:
    return Del(tuple(words[1:]))


def _exists(words: list[bytes]) -> AnyCommand:
    return Exists(tuple(words[1:]))


def _type(words: list[bytes]) -> AnyCommand:
    return Type(words[1])


def _keys(words: list[bytes]) -> AnyCommand:
    return Keys(words[1])


_CURSOR: Final = re.compile(rb"([+-]?)0*([0-9]{1,20})\Z")


def _cursor(word: bytes) -> int | None:
    """Return what C's strtoul reads: nothing at all is 0, and what is negative wraps around."""
    match = _CURSOR.match(word or b"0")
    if match is None or int(match[2]) >= 2**64:
        return None
    return int(match[1] + match[2]) % 2**64


def _scan(words: list[bytes]) -> AnyCommand | Refusal:
    cursor = _cursor(words[1])
    if cursor is None:
        return Refusal("ERR invalid cursor")
    pattern: bytes | None = None
    type_name: bytes | None = None
    count = 10
    for at in range(2, len(words), 2):
        option = words[at].upper()
        if at + 1 == len(words) or option not in {b"COUNT", b"MATCH", b"TYPE"}:
            return SYNTAX
        if option == b"MATCH":
            pattern = words[at + 1]
        elif option == b"TYPE":
            type_name = words[at + 1]
        else:
            asked = integer(words[at + 1])
            if asked is None:
                return NOT_INTEGER
            if asked < 1:
                return SYNTAX
            count = min(asked, COUNT_MAX)
    return Scan(cursor, pattern, count, type_name)


def _randomkey(_words: list[bytes]) -> AnyCommand:
    return RandomKey(randbits(64))


def _rename(words: list[bytes]) -> AnyCommand:
    return Rename(words[1], words[2])


def _renamenx(words: list[bytes]) -> AnyCommand:
    return Rename(words[1], words[2], absent=True)


_NO_DB: Final = Refusal("ERR DB index is out of range")
_SAME: Final = Refusal("ERR source and destination objects are the same")


def _copy(words: list[bytes]) -> AnyCommand | Refusal:
    replace = False
    at = 3
    while at < len(words):
        option = words[at].upper()
        at += 1
        if option == b"REPLACE":
            replace = True
        elif option == b"DB" and at < len(words):
            number = integer(words[at])
            if number is None:
                return NOT_INTEGER
            if number != 0:
                return _NO_DB
            at += 1
        else:
            return SYNTAX
    return _SAME if words[1] == words[2] else Copy(words[1], words[2], replace)


def _move(_lobby: Lobby, client: Client, words: list[bytes]) -> LocalReply:
    if client.speaks_cluster:
        return Refusal("ERR MOVE is not allowed in cluster mode")
    number = integer(words[2])
    if number is None:
        return NOT_INTEGER
    return _NO_DB if number != 0 else _SAME


_CONDITIONS: Final = {
    b"NX": Condition.ABSENT,
    b"XX": Condition.PRESENT,
    b"GT": Condition.GREATER,
    b"LT": Condition.LESS,
}


def _expire_conditions(options: list[bytes]) -> tuple[Condition, ...] | Refusal:
    found: list[Condition] = []
    for option in options:
        condition = _CONDITIONS.get(option.upper())
        if condition is None:
            return Refusal(f"ERR Unsupported option {text_of(option)}")
        if condition not in found:
            found.append(condition)
    if Condition.ABSENT in found and len(found) > 1:
        return Refusal("ERR NX and XX, GT or LT options at the same time are not compatible")
    if Condition.GREATER in found and Condition.LESS in found:
        return Refusal("ERR GT and LT options at the same time are not compatible")
    return tuple(found)


def _expire_by(unit: bytes, name: str) -> Callable[[list[bytes]], AnyCommand | Refusal]:
    def parse(words: list[bytes]) -> AnyCommand | Refusal:
        conditions = _expire_conditions(words[3:])
        if isinstance(conditions, Refusal):
            return conditions
        expiry = any_expiry(words[2], UNITS[unit], name)
        return expiry if isinstance(expiry, Refusal) else Expire(words[1], expiry, conditions)

    return parse


def _ttl(words: list[bytes]) -> AnyCommand:
    return Ttl(words[1], seconds=True)


def _pttl(words: list[bytes]) -> AnyCommand:
    return Ttl(words[1], seconds=False)


def _expiretime(words: list[bytes]) -> AnyCommand:
    return Ttl(words[1], seconds=True, absolute=True)


def _pexpiretime(words: list[bytes]) -> AnyCommand:
    return Ttl(words[1], seconds=False, absolute=True)


def _persist(words: list[bytes]) -> AnyCommand:
    return Persist(words[1])


def _dbsize(_words: list[bytes]) -> AnyCommand:
    return DbSize()


def _flush(words: list[bytes]) -> AnyCommand | Refusal:
    if len(words) > 2 or (len(words) == 2 and words[1].upper() not in {b"ASYNC", b"SYNC"}):
        return SYNTAX
    return FlushAll()


def _encoding(words: list[bytes]) -> AnyCommand:
    return Encoding(words[2])


def _refcount(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    return Ask(Exists((words[2],)), lambda found: 1 if found == 1 else _missing(found))


def _idletime(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    return Ask(Exists((words[2],)), lambda found: 0 if found == 1 else _missing(found))


_NO_FREQUENCY: Final = Refusal(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
    "when switching between policies at runtime LRU and LFU data will take some time to adjust."
)


def _freq(_lobby: Lobby, _client: Client, words: list[bytes]) -> LocalReply:
    return Ask(Exists((words[2],)), lambda found: _NO_FREQUENCY if found == 1 else _missing(found))


def _missing(found: object) -> Refusal | None:
    return found if isinstance(found, Refusal) else None


def _object_help(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    return help_text(
        "OBJECT", "ENCODING <key>", "FREQ <key>", "HELP", "IDLETIME <key>", "REFCOUNT <key>"
    )


def _memory_usage(words: list[bytes]) -> AnyCommand | Refusal:
    for at in range(3, len(words), 2):
        if words[at].upper() != b"SAMPLES" or at + 1 == len(words):
            return SYNTAX
        samples = integer(words[at + 1])
        if samples is None:
            return NOT_INTEGER
        if samples < 0:
            return SYNTAX
    return MemoryUsage(words[2])


def help_text(name: str, *lines: str) -> LocalReply:
    """Return what the HELP subcommand of a container answers."""
    from_redis = f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    return Values(tuple(Status(line.encode()) for line in (from_redis, *lines)))


_ONE: Final = (1, 1, 1)
_ALL: Final = (1, -1, 1)
_PER_KEY: Final = "O(N) in the number of keys"
_SUM: Final = "request_policy:multi_shard response_policy:agg_sum"


def _spec(flags: str, last: int = 0) -> tuple[KeySpec, ...]:
    return (KeySpec(flags, 1, last, 1),)


def _pair(first: str, second: str) -> tuple[KeySpec, ...]:
    return (KeySpec(first, 1, 0, 1), KeySpec(second, 2, 0, 1))


_OBJECT: Final = container(
    "object", "generic", "2.2.3", "Look at how a value is stored",
    Row("object|encoding", 3, "readonly", "generic", "2.2.3", "Return how a value is stored",
        _encoding, keys=(2, 2, 1), specs=(KeySpec("RO", 2, 0, 1),), categories="keyspace",
        tips="nondeterministic_output"),
    Row("object|freq", 3, "readonly", "generic", "4.0.0", "Return how often a key is used",
        local=_freq, asks=True, keys=(2, 2, 1), specs=(KeySpec("RO", 2, 0, 1),),
        categories="keyspace",
        tips="nondeterministic_output"),
    Row("object|help", 2, "loading stale", "generic", "6.2.0", "Show the subcommands",
        local=_object_help, categories="keyspace"),
    Row("object|idletime", 3, "readonly", "generic", "2.2.3", "Return 0: use is not tracked",
        local=_idletime, asks=True, keys=(2, 2, 1), specs=(KeySpec("RO", 2, 0, 1),),
        categories="keyspace",
        tips="nondeterministic_output"),
    Row("object|refcount", 3, "readonly", "generic", "2.2.3", "Return 1: values are not shared",
        local=_refcount, asks=True, keys=(2, 2, 1), specs=(KeySpec("RO", 2, 0, 1),),
        categories="keyspace",
        tips="nondeterministic_output"),
)  # fmt: skip

MEMORY_USAGE: Final = Row(
    "memory|usage", -3, "readonly", "server", "4.0.0", "Return the bytes that a key takes",
    _memory_usage, keys=(2, 2, 1), specs=(KeySpec("RO", 2, 0, 1),), categories="read",
)  # fmt: skip

ROWS: Final = (
    Row("del", -2, "write", "generic", "1.0.0", "Delete keys",
        _del, keys=_ALL, specs=_spec("RM delete", -1), categories="keyspace", tips=_SUM,
        complexity=_PER_KEY),
    Row("unlink", -2, "write fast", "generic", "4.0.0", "Delete keys",
        _del, keys=_ALL, specs=_spec("RM delete", -1), categories="keyspace", tips=_SUM,
        complexity=_PER_KEY),
    Row("exists", -2, "readonly fast", "generic", "1.0.0", "Count which of the keys exist",
        _exists, keys=_ALL, specs=_spec("RO", -1), categories="keyspace", tips=_SUM,
        complexity=_PER_KEY),
    Row("touch", -2, "readonly fast", "generic", "3.2.1", "Count which of the keys exist",
        _exists, keys=_ALL, specs=_spec("RO", -1), categories="keyspace", tips=_SUM,
        complexity=_PER_KEY),
    Row("type", 2, "readonly fast", "generic", "1.0.0", "Return the type of a value",
        _type, keys=_ONE, specs=_spec("RO"), categories="keyspace"),
    Row("keys", 2, "readonly", "generic", "1.0.0", "Return all keys that match a pattern",
        _keys, categories="keyspace dangerous", complexity="O(N) in the number of all keys",
        tips="request_policy:all_shards nondeterministic_output_order"),
    Row("scan", -2, "readonly", "generic", "2.8.0", "Return keys, some at a time",
        _scan, categories="keyspace", tips="nondeterministic_output request_policy:special",
        complexity="O(COUNT)"),
    Row("randomkey", 1, "readonly", "generic", "1.0.0", "Return a key drawn at random",
        _randomkey, categories="keyspace",
        tips="request_policy:all_shards nondeterministic_output"),
    Row("rename", 3, "write", "generic", "1.0.0", "Rename a key",
        _rename, keys=(1, 2, 1), specs=_pair("RW access delete", "OW update"),
        categories="keyspace"),
    Row("renamenx", 3, "write fast", "generic", "1.0.0", "Rename a key unless the name is taken",
        _renamenx, keys=(1, 2, 1), specs=_pair("RW access delete", "OW insert"),
        categories="keyspace"),
    Row("copy", -3, "write denyoom", "generic", "6.2.0", "Copy a key, its value and expiry",
        _copy, keys=(1, 2, 1), specs=_pair("RO access", "OW update"), categories="keyspace"),
    Row("move", 3, "write fast", "generic", "1.0.0", "Refused: there is one database",
        local=_move, keys=_ONE, specs=_spec("RW access update"), categories="keyspace"),
    Row("expire", -3, "write fast", "generic", "1.0.0", "Let a key go after some seconds",
        _expire_by(b"EX", "expire"), keys=_ONE, specs=_spec("RW update"), categories="keyspace"),
    Row("pexpire", -3, "write fast", "generic", "2.6.0", "Let a key go after some milliseconds",
        _expire_by(b"PX", "pexpire"), keys=_ONE, specs=_spec("RW update"),
        categories="keyspace"),
    Row("expireat", -3, "write fast", "generic", "1.2.0", "Let a key go at a time in seconds",
        _expire_by(b"EXAT", "expireat"), keys=_ONE, specs=_spec("RW update"),
        categories="keyspace"),
    Row("pexpireat", -3, "write fast", "generic", "2.6.0", "Let a key go at a time in milliseconds",
        _expire_by(b"PXAT", "pexpireat"), keys=_ONE, specs=_spec("RW update"),
        categories="keyspace"),
    Row("ttl", 2, "readonly fast", "generic", "1.0.0", "Return the seconds a key has left",
        _ttl, keys=_ONE, specs=_spec("RO access"), categories="keyspace",
        tips="nondeterministic_output"),
    Row("pttl", 2, "readonly fast", "generic", "2.6.0", "Return the milliseconds a key has left",
        _pttl, keys=_ONE, specs=_spec("RO access"), categories="keyspace",
        tips="nondeterministic_output"),
    Row("expiretime", 2, "readonly fast", "generic", "7.0.0", "Return when a key goes, in seconds",
        _expiretime, keys=_ONE, specs=_spec("RO access"), categories="keyspace"),
    Row("pexpiretime", 2, "readonly fast", "generic", "7.0.0", "Return when a key goes, in ms",
        _pexpiretime, keys=_ONE, specs=_spec("RO access"), categories="keyspace"),
    Row("persist", 2, "write fast", "generic", "2.2.0", "Remove a key's expiry",
        _persist, keys=_ONE, specs=_spec("RW update"), categories="keyspace"),
    Row("dbsize", 1, "readonly fast", "server", "1.0.0", "Return the number of keys",
        _dbsize, categories="keyspace", tips="request_policy:all_shards response_policy:agg_sum"),
    Row("flushall", -1, "write", "server", "1.0.0", "Delete all keys",
        _flush, categories="keyspace dangerous",
        tips="request_policy:all_shards response_policy:all_succeeded"),
    Row("flushdb", -1, "write", "server", "1.0.0", "Delete all keys",
        _flush, categories="keyspace dangerous",
        tips="request_policy:all_shards response_policy:all_succeeded"),
    _OBJECT,
)  # fmt: skip
