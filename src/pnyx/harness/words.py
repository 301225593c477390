"""Commands as the words that a Redis client sends, and its replies as the machine's results."""

from typing import Any, Final, TypeAlias

import hiredis

from pnyx.machine.commands import (
    AnyCommand,
    Append,
    Condition,
    Del,
    Exists,
    Get,
    GetDel,
    IncrBy,
    MGet,
    Set,
    SetNx,
    Strlen,
)
from pnyx.machine.results import OK, Refusal, Result, Values

Words: TypeAlias = list[bytes | str | int]

_CONDITIONS: Final = {
    Condition.ABSENT: "NX",
    Condition.PRESENT: "XX",
    Condition.EQUAL: "IFEQ",
    Condition.DIFFERENT: "IFNE",
}


class NoWords(Exception):
    """This command is not among those that scenarios send to real nodes."""


def words_of(command: AnyCommand) -> Words:
    """Return the words that ask for `command`.

    Raises:
        NoWords: scenarios on processes do not use it.
    """
    match command:
        case Set():
            return _set(command)
        case Get(key) | GetDel(key) | Strlen(key):
            return [type(command).__name__.upper(), key]
        case Append(key, value) | SetNx(key, value):
            return [type(command).__name__.upper(), key, value]
        case IncrBy(key, delta):
            return ["INCRBY", key, delta]
        case MGet(keys) | Del(keys) | Exists(keys):
            return [type(command).__name__.upper(), *keys]
        case _:
            raise NoWords(type(command).__name__)


def result_of(command: AnyCommand, reply: Any) -> Result:
    """Return what the machine gave for `command`, from what the client was told."""
    if isinstance(reply, hiredis.ReplyError):
        return Refusal(str(reply))
    if isinstance(command, Set) and not command.get:
        return OK if reply == b"OK" else None
    if isinstance(reply, list):
        return Values(tuple(reply))
    result: Result = reply
    return result


def _set(command: Set) -> Words:
    words: Words = ["SET", command.key, command.value]
    if command.condition is not Condition.ALWAYS:
        words.append(_CONDITIONS[command.condition])
    if command.comparand is not None:
        words.append(command.comparand)
    if command.get:
        words.append("GET")
    if command.expiry is not None:
        words += ["PX" if command.expiry.relative else "PXAT", command.expiry.ms]
    if command.keep_ttl:
        words.append("KEEPTTL")
    return words
