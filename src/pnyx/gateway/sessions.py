"""What is said before a command: PNYX.SEQ before a write that may come again, PNYX.STALE."""

from binascii import Error as NoHex, unhexlify
from collections.abc import Sequence
from secrets import token_hex
from typing import Final

import msgspec
from xxhash import xxh3_64_intdigest

from pnyx.gateway.client import STALE, Client, Prefix, Stale
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.outcomes import CROSSSLOT
from pnyx.gateway.rows import Ask, KeySpec, LocalReply, Row
from pnyx.gateway.words import INTEGER_MAX
from pnyx.machine.commands import AnyCommand, Clock, Sequenced
from pnyx.machine.results import Refusal, Result, Values
from pnyx.machine.sessions import DEADLINE_AHEAD_MS_MAX, SESSION_BYTES, WINDOW
from pnyx.machine.slots import slot_of
from pnyx.transport.resp import Reply

NOT_A_PREFIX: Final = Refusal(
    "ERR PX0214 PNYX.SEQ wants a session of 32 hex digits, a sequence from 1, the acknowledged "
    "sequence and a deadline in ms since 1970; the command after it was not done"
)
NO_KEY: Final = Refusal(
    "ERR PX0215 a write in a session names at least one key, for its record lies with the key's "
    "shard; nothing was done, send it without PNYX.SEQ"
)
NOT_STALE: Final = Refusal(
    "ERR PX0218 PNYX.STALE stands alone before a command that only reads keys, outside of MULTI; "
    "nothing was done"
)
_PREFIX_WORDS: Final = 5
_DIGITS_MAX: Final = 19

_encode: Final = msgspec.msgpack.Encoder().encode


def prefix_of(words: list[bytes]) -> Prefix | Refusal:
    """Return what the words of PNYX.SEQ say of the next command, or the error it gets."""
    if len(words) != _PREFIX_WORDS:
        return NOT_A_PREFIX
    try:
        session = unhexlify(words[1])
    except NoHex:
        return NOT_A_PREFIX
    sequence, ack, deadline_ms = _number(words[2]), _number(words[3]), _number(words[4])
    if len(session) != SESSION_BYTES or sequence <= 0 or ack < 0 or deadline_ms < 0:
        return NOT_A_PREFIX
    return Prefix(session, sequence, ack, deadline_ms)


def _number(word: bytes) -> int:
    # `integer` of words.py, where none is negative: this is paid three times a write of a session.
    if word.isdigit() and len(word) <= _DIGITS_MAX and (word[:1] != b"0" or word == b"0"):
        number = int(word)
        if number <= INTEGER_MAX:
            return number
    return -1


def stale_of(words: list[bytes]) -> Stale | Refusal:
    """Return what PNYX.STALE says of the next command, or the error it gets."""
    return STALE if len(words) == 1 else NOT_STALE


def sequenced(
    client: Client,
    prefix: Prefix,
    keys: Sequence[bytes],
    words: Sequence[object],
    write: AnyCommand,
) -> Sequenced | Refusal:
    """Return `write` as one that is done once; `words` are what the client sent for it."""
    if not keys:
        return NO_KEY
    slot = slot_of(keys[0])
    if len(keys) > 1 and any(slot_of(key) != slot for key in keys):
        return CROSSSLOT
    return numbered(client, prefix, slot, words, write)


def in_session(
    client: Client, keys: Sequence[bytes], words: Sequence[object], command: AnyCommand
) -> AnyCommand | Refusal:
    """Return a write behind a prefix as one that is done once, anything else as it is."""
    prefix = client.prefix
    if isinstance(prefix, Refusal):
        return prefix
    if not isinstance(prefix, Prefix) or not command.writes:
        return command
    return sequenced(client, prefix, keys, words, command)


def parsed_in_session(
    client: Client, row: Row, slot: int, words: list[bytes]
) -> AnyCommand | Refusal:
    """Return the same of a command whose keys are of `slot`, and take the prefix away."""
    assert row.parse is not None, "only commands of the machine have a slot"
    command = row.parse(words)
    prefix, client.prefix = client.prefix, None
    if isinstance(prefix, Refusal):
        return prefix
    if not isinstance(prefix, Prefix) or isinstance(command, Refusal) or not command.writes:
        return command
    return numbered(client, prefix, slot, words, command)


def numbered(
    client: Client, prefix: Prefix, slot: int, words: Sequence[object], write: AnyCommand
) -> Sequenced:
    """Return the same of a write that names keys, all of them of `slot`."""
    digest = xxh3_64_intdigest(_encode(words))
    return Sequenced(
        slot,
        prefix.session,
        client.user,
        prefix.sequence,
        prefix.ack,
        prefix.deadline_ms,
        digest,
        write,
    )


def _sequence(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    raise AssertionError("the run builder takes the prefix itself, for it has no reply")


def _session(_lobby: Lobby, _client: Client, _words: list[bytes]) -> LocalReply:
    name = token_hex(SESSION_BYTES).encode()

    def told(clock: Result) -> Reply:
        assert isinstance(clock, int), "the clock is a number"
        return Values((name, clock, DEADLINE_AHEAD_MS_MAX, WINDOW))

    return Ask(Clock(), told)


def _clock(words: list[bytes]) -> AnyCommand:
    return Clock(slot_of(words[1]))


ROWS: Final = (
    Row("pnyx.seq", -1, "noscript loading stale fast no_auth allow_busy", "sessions", "7.4.0",
        "Let the next write be done at most once; has no reply", local=_sequence,
        categories="connection"),
    Row("pnyx.stale", 1, "noscript loading stale fast no_auth allow_busy", "sessions", "7.4.0",
        "Let the next read be answered by any replica, however old; has no reply",
        local=_sequence, categories="connection"),
    Row("pnyx.session", 1, "readonly fast", "sessions", "7.4.0",
        "Return a new session, the clock, the longest deadline and the window", local=_session,
        asks=True, categories="connection", tips="nondeterministic_output"),
    Row("pnyx.clock", 2, "readonly fast", "sessions", "7.4.0",
        "Return the committed clock of a key's shard, in ms", _clock, keys=(1, 1, 1),
        specs=(KeySpec("RO", 1, 0, 1),), categories="connection",
        tips="nondeterministic_output"),
)  # fmt: skip
