"""The rows of the string commands."""

from typing import Final

from pnyx.gateway.rows import KeySpec, Row, wrong_arity
from pnyx.gateway.words import (
    INTEGER_MIN,
    NOT_FLOAT,
    NOT_INTEGER,
    SYNTAX,
    UNITS,
    integer,
    positive_expiry,
)
from pnyx.machine.commands import (
    AnyCommand,
    Append,
    CompareAndSet,
    Condition,
    DelEx,
    Expiry,
    Get,
    GetDel,
    GetEx,
    GetRange,
    GetVersioned,
    IncrBy,
    IncrByFloat,
    Lcs,
    MGet,
    MSet,
    Set,
    SetNx,
    SetRange,
    Strlen,
)
from pnyx.machine.floats import parse_decimal
from pnyx.machine.results import Refusal

_CONDITIONS: Final = {b"NX": Condition.ABSENT, b"XX": Condition.PRESENT}
_COMPARISONS: Final = {b"IFEQ": Condition.EQUAL, b"IFNE": Condition.DIFFERENT}


def _get(words: list[bytes]) -> AnyCommand:
    return Get(words[1])


class _SetOptions:
    """The options of SET, taken one by one."""

    def __init__(self) -> None:
        self.condition = Condition.ALWAYS
        self.comparand: bytes | None = None
        self.time: tuple[bytes, bytes] | None = None
        self.keep_ttl = False
        self.get = False

    def take(self, option: bytes, following: bytes | None) -> int:
        """Return how many words the option took, 0 if it cannot be meant."""
        if option in _CONDITIONS and self.condition in {Condition.ALWAYS, _CONDITIONS[option]}:
            self.condition = _CONDITIONS[option]
            return 1
        if option == b"GET":
            self.get = True
            return 1
        if option == b"KEEPTTL" and self.time is None:
            self.keep_ttl = True
            return 1
        return 0 if following is None else self._take_two(option, following)

    def take_all(self, words: list[bytes]) -> bool:
        """Take `words`; False if they cannot be meant."""
        at = 0
        while at < len(words):
            taken = self.take(words[at].upper(), words[at + 1] if at + 1 < len(words) else None)
            if not taken:
                return False
            at += taken
        return True

    def expiry(self, name: str) -> Expiry | Refusal | None:
        """Return when the key goes, or why the command called `name` cannot say so."""
        if self.time is None:
            return None
        unit, number = self.time
        return positive_expiry(number, UNITS[unit], name)

    def _take_two(self, option: bytes, following: bytes) -> int:
        if option in UNITS and not self.keep_ttl and (self.time or (option,))[0] == option:
            self.time = (option, following)
            return 2
        if option in _COMPARISONS and self.condition is Condition.ALWAYS:
            self.condition, self.comparand = _COMPARISONS[option], following
            return 2
        return 0


def _set(words: list[bytes]) -> AnyCommand | Refusal:
    if len(words) == 3:
        return Set(words[1], words[2])
    options = _SetOptions()
    if not options.take_all(words[3:]):
        return SYNTAX
    expiry = options.expiry("set")
    if isinstance(expiry, Refusal):
        return expiry
    return Set(
        words[1],
        words[2],
        expiry,
        options.condition,
        options.comparand,
        options.keep_ttl,
        options.get,
    )


def _get_versioned(words: list[bytes]) -> AnyCommand:
    return GetVersioned(words[1])


def _compare_and_set(words: list[bytes]) -> AnyCommand | Refusal:
    revision = integer(words[2])
    if revision is None or revision < 0:
        return NOT_INTEGER
    options = _SetOptions()
    if not options.take_all(words[4:]) or options.get or options.condition is not Condition.ALWAYS:
        return SYNTAX
    expiry = options.expiry("pnyx.cas")
    if isinstance(expiry, Refusal):
        return expiry
    return CompareAndSet(words[1], revision, words[3], expiry, options.keep_ttl)


def _setnx(words: list[bytes]) -> AnyCommand:
    return SetNx(words[1], words[2])


def _set_for(words: list[bytes], unit: bytes, name: str) -> AnyCommand | Refusal:
    expiry = positive_expiry(words[2], UNITS[unit], name)
    return expiry if isinstance(expiry, Refusal) else Set(words[1], words[3], expiry)


def _setex(words: list[bytes]) -> AnyCommand | Refusal:
    return _set_for(words, b"EX", "setex")


def _psetex(words: list[bytes]) -> AnyCommand | Refusal:
    return _set_for(words, b"PX", "psetex")


def _getset(words: list[bytes]) -> AnyCommand:
    return Set(words[1], words[2], get=True)


def _getdel(words: list[bytes]) -> AnyCommand:
    return GetDel(words[1])


def _getex(words: list[bytes]) -> AnyCommand | Refusal:
    time: tuple[bytes, bytes] | None = None
    persist = False
    at = 2
    while at < len(words):
        option = words[at].upper()
        following = words[at + 1] if at + 1 < len(words) else None
        at += 1
        if option == b"PERSIST" and time is None:
            persist = True
        elif option in UNITS and following is not None and not persist:
            if time is not None and time[0] != option:
                return SYNTAX
            time = (option, following)
            at += 1
        else:
            return SYNTAX
    if time is None:
        return GetEx(words[1], None, persist)
    expiry = positive_expiry(time[1], UNITS[time[0]], "getex")
    return expiry if isinstance(expiry, Refusal) else GetEx(words[1], expiry)


def _delex(words: list[bytes]) -> AnyCommand | Refusal:
    if len(words) == 2:
        return DelEx(words[1])
    if len(words) != 4:
        return wrong_arity("delex")
    condition = _COMPARISONS.get(words[2].upper())
    return SYNTAX if condition is None else DelEx(words[1], condition, words[3])


def _mget(words: list[bytes]) -> AnyCommand:
    return MGet(tuple(words[1:]))


def _mset(words: list[bytes]) -> AnyCommand | Refusal:
    if len(words) % 2 == 0:
        return wrong_arity("mset")
    return MSet(tuple(zip(words[1::2], words[2::2], strict=True)))


def _msetnx(words: list[bytes]) -> AnyCommand | Refusal:
    if len(words) % 2 == 0:
        return wrong_arity("msetnx")
    return MSet(tuple(zip(words[1::2], words[2::2], strict=True)), absent=True)


def _append(words: list[bytes]) -> AnyCommand:
    return Append(words[1], words[2])


def _strlen(words: list[bytes]) -> AnyCommand:
    return Strlen(words[1])


def _getrange(words: list[bytes]) -> AnyCommand | Refusal:
    start, stop = integer(words[2]), integer(words[3])
    if start is None or stop is None:
        return NOT_INTEGER
    return GetRange(words[1], start, stop)


def _setrange(words: list[bytes]) -> AnyCommand | Refusal:
    offset = integer(words[2])
    if offset is None:
        return NOT_INTEGER
    if offset < 0:
        return Refusal("ERR offset is out of range")
    return SetRange(words[1], offset, words[3])


def _incr(words: list[bytes]) -> AnyCommand:
    return IncrBy(words[1], 1)


def _decr(words: list[bytes]) -> AnyCommand:
    return IncrBy(words[1], -1)


def _incrby(words: list[bytes]) -> AnyCommand | Refusal:
    delta = integer(words[2])
    return NOT_INTEGER if delta is None else IncrBy(words[1], delta)


def _decrby(words: list[bytes]) -> AnyCommand | Refusal:
    delta = integer(words[2])
    if delta is None:
        return NOT_INTEGER
    if delta == INTEGER_MIN:
        return Refusal("ERR decrement would overflow")
    return IncrBy(words[1], -delta)


def _incrbyfloat(words: list[bytes]) -> AnyCommand | Refusal:
    return NOT_FLOAT if parse_decimal(words[2]) is None else IncrByFloat(words[1], words[2])


def _lcs(words: list[bytes]) -> AnyCommand | Refusal:
    length = matches = with_lengths = False
    match_min = 0
    at = 3
    while at < len(words):
        option = words[at].upper()
        at += 1
        if option == b"IDX":
            matches = True
        elif option == b"LEN":
            length = True
        elif option == b"WITHMATCHLEN":
            with_lengths = True
        elif option == b"MINMATCHLEN" and at < len(words):
            least = integer(words[at])
            if least is None:
                return NOT_INTEGER
            match_min = max(least, 0)
            at += 1
        else:
            return SYNTAX
    if length and matches:
        return Refusal("ERR If you want both the length and indexes, please just use IDX.")
    return Lcs(words[1], words[2], length, matches, match_min, with_lengths)


def _specs(flags: str, last: int = 0, step: int = 1) -> tuple[KeySpec, ...]:
    return (KeySpec(flags, 1, last, step),)


_ONE: Final = (1, 1, 1)
_READ: Final = "readonly"
_WRITE: Final = "write denyoom"
_PER_KEY: Final = "O(N) in the number of keys"
_PER_BYTE: Final = "O(N) in the bytes of the value"

ROWS: Final = (
    Row("get", 2, "readonly fast", "string", "1.0.0", "Return the value of a key",
        _get, keys=_ONE, specs=_specs("RO access"), categories="string"),
    Row("set", -3, _WRITE, "string", "1.0.0", "Set the value of a key, perhaps on a condition",
        _set, keys=_ONE, specs=_specs("RW access update variable_flags"), categories="string"),
    Row("pnyx.getv", 2, "readonly fast", "string", "7.4.0",
        "Return the value and the revision of a key", _get_versioned, keys=_ONE,
        specs=_specs("RO access"), categories="string"),
    Row("pnyx.cas", -4, _WRITE, "string", "7.4.0",
        "Set a key whose revision (0: no key) is still this one; return the new revision",
        _compare_and_set, keys=_ONE, specs=_specs("RW access update variable_flags"),
        categories="string"),
    Row("setnx", 3, "write denyoom fast", "string", "1.0.0", "Set a key that does not exist",
        _setnx, keys=_ONE, specs=_specs("OW insert"), categories="string"),
    Row("setex", 4, _WRITE, "string", "2.0.0", "Set a key that goes after some seconds",
        _setex, keys=_ONE, specs=_specs("OW update"), categories="string"),
    Row("psetex", 4, _WRITE, "string", "2.6.0", "Set a key that goes after some milliseconds",
        _psetex, keys=_ONE, specs=_specs("OW update"), categories="string"),
    Row("getset", 3, "write denyoom fast", "string", "1.0.0",
        "Set a key and return its previous value",
        _getset, keys=_ONE, specs=_specs("RW access update"), categories="string"),
    Row("getdel", 2, "write fast", "string", "6.2.0", "Return the value of a key and delete it",
        _getdel, keys=_ONE, specs=_specs("RW access delete"), categories="string"),
    Row("getex", -2, "write fast", "string", "6.2.0", "Return a value and change its expiry",
        _getex, keys=_ONE, specs=_specs("RW access update"), categories="string"),
    Row("delex", -2, "write fast", "string", "8.4.0", "Delete a key if its value compares so",
        _delex, keys=_ONE, specs=_specs("RM delete"), categories="string",
        complexity=_PER_BYTE),
    Row("mget", -2, "readonly fast", "string", "1.0.0", "Return the values of keys",
        _mget, keys=(1, -1, 1), specs=_specs("RO access", -1), categories="string",
        tips="request_policy:multi_shard", complexity=_PER_KEY),
    Row("mset", -3, _WRITE, "string", "1.0.1", "Set keys to values, all or none",
        _mset, keys=(1, -1, 2), specs=_specs("OW update", -1, 2), categories="string",
        tips="request_policy:multi_shard response_policy:all_succeeded", complexity=_PER_KEY),
    Row("msetnx", -3, _WRITE, "string", "1.0.1", "Set keys if none of them exists",
        _msetnx, keys=(1, -1, 2), specs=_specs("OW insert", -1, 2), categories="string",
        tips="request_policy:multi_shard response_policy:agg_min", complexity=_PER_KEY),
    Row("append", 3, "write denyoom fast", "string", "2.0.0", "Append to a value",
        _append, keys=_ONE, specs=_specs("RW insert"), categories="string",
        complexity=_PER_BYTE),
    Row("strlen", 2, "readonly fast", "string", "2.2.0", "Return the length of a value",
        _strlen, keys=_ONE, specs=_specs("RO"), categories="string"),
    Row("getrange", 4, _READ, "string", "2.4.0", "Return a part of a value",
        _getrange, keys=_ONE, specs=_specs("RO access"), categories="string",
        complexity=_PER_BYTE),
    Row("substr", 4, _READ, "string", "1.0.0", "Return a part of a value (GETRANGE)",
        _getrange, keys=_ONE, specs=_specs("RO access"), categories="string",
        complexity=_PER_BYTE),
    Row("setrange", 4, _WRITE, "string", "2.2.0", "Overwrite a part of a value",
        _setrange, keys=_ONE, specs=_specs("RW update"), categories="string",
        complexity=_PER_BYTE),
    Row("incr", 2, "write denyoom fast", "string", "1.0.0", "Add one to an integer",
        _incr, keys=_ONE, specs=_specs("RW access update"), categories="string"),
    Row("decr", 2, "write denyoom fast", "string", "1.0.0", "Subtract one from an integer",
        _decr, keys=_ONE, specs=_specs("RW access update"), categories="string"),
    Row("incrby", 3, "write denyoom fast", "string", "1.0.0", "Add to an integer",
        _incrby, keys=_ONE, specs=_specs("RW access update"), categories="string"),
    Row("decrby", 3, "write denyoom fast", "string", "1.0.0", "Subtract from an integer",
        _decrby, keys=_ONE, specs=_specs("RW access update"), categories="string"),
    Row("incrbyfloat", 3, "write denyoom fast", "string", "2.6.0", "Add to a number",
        _incrbyfloat, keys=_ONE, specs=_specs("RW access update"), categories="string"),
    Row("lcs", -3, _READ, "string", "7.0.0", "Return the longest common subsequence",
        _lcs, keys=(1, 2, 1), specs=_specs("RO access", 1), categories="string",
        complexity="O(N*M) in the bytes of both values, at most a million cells"),
)  # fmt: skip
