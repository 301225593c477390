"""What applying or reading a command gives: values that the gateway turns into RESP."""

from typing import Final, TypeAlias, Union, final

import msgspec


@final
class Status(msgspec.Struct, frozen=True, array_like=True, tag="s", gc=False):
    """A RESP simple string."""

    text: bytes


@final
class Refusal(msgspec.Struct, frozen=True, array_like=True, tag="e", gc=False):
    """A RESP error: Redis' own text, prefix included, without CR or LF. The command did nothing.

    Where it is asked of each command whether it is one, `type` does it: `isinstance` asks a
    struct's metaclass first, and takes five times as long to say no.
    """

    text: str


class Values(msgspec.Struct, frozen=True, array_like=True, tag="v"):
    """A RESP array; its members are results."""

    members: tuple["Result", ...]


class Pairs(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """A RESP3 map, a flat array in RESP2; keys and values are results."""

    members: tuple[tuple["Result", "Result"], ...]


class NullArray(msgspec.Struct, frozen=True, array_like=True, tag="n", gc=False):
    """The aborted EXEC: ``*-1`` in RESP2, ``_`` in RESP3."""


Result: TypeAlias = Union[int, bytes, Status, Refusal, Values, Pairs, NullArray, None]  # noqa: UP007
"""None is a null bulk, bytes a bulk string, int an integer."""

OK: Final = Status(b"OK")
NULL_ARRAY: Final = NullArray()
