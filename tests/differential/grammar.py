"""Random commands that are mostly right: one pattern of arguments for each form of a command."""

from dataclasses import dataclass

from hypothesis import strategies as st

KEYS = (b"a", b"b", b"{t}1", b"{t}2", b"key:with:colons", b"\x00\xff\r\n")

keys = st.sampled_from(KEYS)
small = st.integers(-20, 20).map(lambda number: b"%d" % number)
edges = st.sampled_from(
    [2**63 - 1, -(2**63), 2**63, 2**31, 2**32, 10**18, 4194304, 4194303, 33554431, 33554432]
).map(lambda number: b"%d" % number)
odd = st.sampled_from([b"", b"abc", b"1.5", b" 1", b"+1", b"01", b"-0", b"1e3", b"0x10", b"nan"])
integers = st.one_of(small, small, small, edges, odd)
decimals = st.one_of(
    small,
    st.sampled_from(
        [b"0.1", b"-2.5", b"1e10", b"3.0", b"1e-7", b".5", b"5.", b"inf", b"-inf", b"nan", b"0x1p3",
         b"1e400", b"123456789012345678", b"0.00000000000000001", b" 1", b"1 ", b""]
    ),
)  # fmt: skip
values = st.one_of(
    small,
    st.binary(max_size=12),
    decimals,
    st.sampled_from(
        [b"x" * 44, b"x" * 45, b"hello world", b"\xff\xf0\x00", b"9223372036854775807"]
    ),
)
seconds = st.sampled_from([b"100", b"5000", b"0", b"-1", b"9223372036854775", b"9223372036854776",
                           b"9223372036854775807", b"abc", b"1.5"])  # fmt: skip
moments = st.sampled_from([b"1", b"4000000000", b"4000000000000", b"0", b"-1", b"abc",
                           b"9223372036854775807"])  # fmt: skip
patterns = st.sampled_from(
    [b"*", b"a", b"?", b"[ab]", b"{t}*", b"[^a]", b"k*y*", b"\\a", b"[", b""]
)


@dataclass(frozen=True)
class Maybe:
    """Words that may stand here or not."""

    words: tuple[object, ...]


@dataclass(frozen=True)
class Some:
    """Words repeated one or more times."""

    words: tuple[object, ...]


def maybe(*words: object) -> Maybe:
    return Maybe(words)


def some(*words: object) -> Some:
    return Some(words)


def one_of(*words: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from(words)


bits = st.sampled_from([b"0", b"1", b"1", b"2", b"-1", b"x"])
far = one_of(b"%d" % 2**32, b"%d" % (2**63 - 1), b"%d" % 2**63, b"-1")
offsets = st.one_of(st.integers(0, 40).map(lambda n: b"%d" % n), far, odd)
fields = one_of(b"u8", b"i8", b"u1", b"i64", b"u63", b"u64", b"i65", b"i0", b"x8", b"u", b"i5")
positions = st.one_of(offsets, st.integers(0, 4).map(lambda n: b"#%d" % n), one_of(b"#-1", b"#x"))
units = maybe(one_of(b"BYTE", b"BIT", b"bit", b"BITS"))
time_left = st.one_of(
    st.tuples(one_of(b"EX", b"PX", b"ex"), seconds), st.tuples(one_of(b"EXAT", b"PXAT"), moments)
)
expire_options = maybe(some(one_of(b"NX", b"XX", b"GT", b"LT", b"gt", b"ZZ")))

FORMS: tuple[tuple[object, ...], ...] = (
    (b"GET", keys),
    (b"SET", keys, values),
    (b"SET", keys, values),
    (b"SET", keys, values, maybe(one_of(b"NX", b"XX", b"nx")), maybe(b"GET"), maybe(time_left)),
    (b"SET", keys, values, maybe(b"KEEPTTL"), maybe(time_left), maybe(one_of(b"NX", b"ZZ"))),
    (b"SETNX", keys, values),
    (b"SETEX", keys, seconds, values),
    (b"PSETEX", keys, seconds, values),
    (b"GETSET", keys, values),
    (b"GETDEL", keys),
    (b"GETEX", keys, maybe(one_of(b"PERSIST", b"persist", b"NX"))),
    (b"MGET", some(keys)),
    (b"MSET", some(keys, values)),
    (b"MSETNX", some(keys, values)),
    (b"APPEND", keys, values),
    (b"STRLEN", keys),
    (b"GETRANGE", keys, integers, integers),
    (b"SUBSTR", keys, integers, integers),
    (b"SETRANGE", keys, integers, values),
    (b"INCR", keys),
    (b"DECR", keys),
    (b"INCRBY", keys, integers),
    (b"DECRBY", keys, integers),
    (b"INCRBYFLOAT", keys, decimals),
    (b"LCS", keys, keys, maybe(one_of(b"LEN", b"len"))),
    (b"LCS", keys, keys, b"IDX", maybe(b"MINMATCHLEN", integers), maybe(b"WITHMATCHLEN")),
    (b"LCS", keys, keys, maybe(b"LEN"), maybe(b"IDX"), maybe(b"ZZ")),
    (b"SETBIT", keys, offsets, bits),
    (b"GETBIT", keys, offsets),
    (b"BITCOUNT", keys),
    (b"BITCOUNT", keys, small, small, units),
    (b"BITPOS", keys, bits),
    (b"BITPOS", keys, one_of(b"0", b"1"), maybe(small, maybe(small, units))),
    (b"BITOP", one_of(b"AND", b"or", b"XOR", b"NAND"), keys, some(keys)),
    (b"BITOP", b"NOT", keys, keys, maybe(keys)),
    (b"BITFIELD", keys, some(b"GET", fields, positions)),
    (b"BITFIELD", keys, maybe(b"OVERFLOW", one_of(b"WRAP", b"SAT", b"FAIL", b"sat", b"ZZ")),
     some(one_of(b"SET", b"INCRBY", b"incrby"), fields, positions, integers)),
    (b"BITFIELD_RO", keys, some(one_of(b"GET", b"get"), fields, positions)),
    (b"DEL", some(keys)),
    (b"UNLINK", some(keys)),
    (b"EXISTS", some(keys)),
    (b"TOUCH", some(keys)),
    (b"TYPE", keys),
    (b"RENAME", keys, keys),
    (b"RENAMENX", keys, keys),
    (b"COPY", keys, keys, maybe(b"REPLACE"), maybe(b"DB", one_of(b"0", b"x"))),
    (b"MOVE", keys, one_of(b"0", b"x")),
    (b"EXPIRE", keys, seconds, expire_options),
    (b"PEXPIRE", keys, seconds, expire_options),
    (b"EXPIREAT", keys, moments, expire_options),
    (b"PEXPIREAT", keys, moments, expire_options),
    (b"TTL", keys),
    (b"PTTL", keys),
    (b"EXPIRETIME", keys),
    (b"PEXPIRETIME", keys),
    (b"PERSIST", keys),
    (b"DBSIZE",),
    (b"KEYS", patterns),
    (b"FLUSHALL", maybe(one_of(b"SYNC", b"ASYNC", b"ZZ"))),
    (b"OBJECT", b"REFCOUNT", keys),
    (b"OBJECT", b"FREQ", keys),
    (b"PING", maybe(values)),
    (b"ECHO", values),
    (b"SELECT", one_of(b"0", b"x", b"99", b"2147483648", b"-2147483649")),
    (b"WAIT", b"0", one_of(b"0", b"10", b"-1", b"x")),
    (b"MULTI",),
    (b"MULTI",),
    (b"EXEC",),
    (b"EXEC",),
    (b"DISCARD",),
    (b"WATCH", some(keys)),
    (b"WATCH", some(keys)),
    (b"UNWATCH",),
    (b"CLIENT", one_of(b"GETNAME", b"getname")),
    (b"CLIENT", b"SETNAME", one_of(b"me", b"a b", b"")),
    (b"CLIENT", b"NOSUCH", maybe(values)),
    (b"OBJECT", b"NOSUCH", keys),
    (b"COMMAND", b"GETKEYS", one_of(b"GET", b"mset", b"BITOP", b"PING", b"nosuch"), some(keys)),
    (b"NOSUCH", maybe(some(values))),
    (b"CONFIG", b"SET", one_of(b"nosuch", b"databases"), values),
    (b"CONFIG", b"SET", b"timeout", one_of(b"-1", b"x")),
    (b"READONLY",),
    (b"CLUSTER", one_of(b"INFO", b"SLOTS", b"MYID", b"nosuch")),
    (b"GETEX", keys, time_left),
    (b"OBJECT", b"ENCODING", keys),
    (b"HELLO", one_of(b"2", b"3", b"4", b"x", b"1")),
    (b"HELLO", b"2", one_of(b"ZZ", b"AUTH", b"SETNAME")),
    (b"HELLO", b"3", b"SETNAME", one_of(b"me", b"a b")),
    (b"HELLO", b"3", b"AUTH", one_of(b"nobody", b"default "), values),
    (b"AUTH", values),
    (b"AUTH", one_of(b"default", b"nobody"), values),
    (b"RESET",),
    (b"CLIENT", b"LIST", one_of(b"ID", b"TYPE", b"ZZ"), one_of(b"x", b"0")),
    (b"CLIENT", b"KILL", one_of(b"ID", b"ZZ", b"SKIPME", b"USER"), one_of(b"x", b"0")),
    (b"CLIENT", b"KILL", one_of(b"1.1.1.1:1", b"x")),
    (b"CLIENT", b"NO-EVICT", one_of(b"x", b"ON")),
    (b"SLOWLOG", b"GET", one_of(b"-2", b"x", b"0"), maybe(b"x")),
    (b"COMMAND", b"INFO", b"nosuch", b"nosuch"),
    (b"COMMAND", b"LIST", one_of(b"FILTERBY", b"ZZ"), one_of(b"MODULE", b"ZZ"), b"x"),
    (b"MEMORY", b"USAGE", keys, b"SAMPLES", one_of(b"-1", b"x")),
    (b"FUNCTION", b"FLUSH", maybe(one_of(b"SYNC", b"ZZ"))),
    (b"LATENCY", one_of(b"LATEST", b"RESET", b"nosuch")),
    (b"DEBUG", b"SLEEP", b"0"),
    (b"READWRITE",),
    (b"ASKING",),
    (b"SCAN", one_of(b"x", b"-", b""), maybe(b"COUNT", integers)),
    (b"SCAN", b"0", one_of(b"COUNT", b"MATCH", b"ZZ")),
    (b"SCAN", b"0", b"COUNT", one_of(b"0", b"-1", b"x")),
    (b"SCAN", one_of(b"-1", b"+0", b"-0", b"00", b"+", b"--1", b"-18446744073709551616")),
    (b"CONFIG", b"GET", one_of(b"MAXMEMORY", b"maxm?mory", b"max\\memory"), b"maxmemory"),
    (b"FUNCTION", b"LIST", maybe(one_of(b"LIBRARYNAME", b"WITHCODE", b"x"))),
    (b"FUNCTION", b"LIST", b"LIBRARYNAME", values, maybe(one_of(b"WITHCODE", b"libraryname"))),
    (b"SETEX", keys, one_of(b"9223370300000000", b"9223372036854775"), values),
    (b"DEBUG", b"JMAP", b"x"),
)  # fmt: skip


@st.composite
def commands(draw: st.DrawFn) -> tuple[bytes, ...]:
    """Return a command; one in twelve has a word too many or too few."""
    form = draw(st.sampled_from(FORMS))
    words: list[bytes] = []
    _fill(draw, form, words)
    spoiled = draw(st.integers(0, 23))
    if spoiled == 0 and len(words) > 1:
        words.pop()
    elif spoiled == 1:
        words.append(draw(values))
    if draw(st.integers(0, 9)) == 0:
        words[0] = words[0].lower()
    return tuple(words)


def _fill(draw: st.DrawFn, form: tuple[object, ...], words: list[bytes]) -> None:
    for part in form:
        if isinstance(part, bytes):
            words.append(part)
        elif isinstance(part, Maybe):
            if draw(st.booleans()):
                _fill(draw, part.words, words)
        elif isinstance(part, Some):
            for _ in range(draw(st.integers(1, 3))):
                _fill(draw, part.words, words)
        else:
            assert isinstance(part, st.SearchStrategy)
            drawn = draw(part)
            words.extend(drawn if isinstance(drawn, tuple) else (drawn,))
