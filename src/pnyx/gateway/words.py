"""Reading a command's words as Redis reads them: integers, floats, expiry times, options."""

import re
from time import time_ns
from typing import Final

from pnyx.machine.commands import Expiry
from pnyx.machine.results import Refusal

INTEGER_MAX: Final = 2**63 - 1
INTEGER_MIN: Final = -(2**63)

SYNTAX: Final = Refusal("ERR syntax error")
NOT_INTEGER: Final = Refusal("ERR value is not an integer or out of range")
NOT_FLOAT: Final = Refusal("ERR value is not a valid float")

_INTEGER: Final = re.compile(rb"(?:0|-?[1-9][0-9]{0,18})\Z")


def integer(word: bytes) -> int | None:
    """Return a signed 64-bit integer, or None: no blanks, no plus sign, no leading zeros."""
    if _INTEGER.match(word) is None:
        return None
    number = int(word)
    return number if INTEGER_MIN <= number <= INTEGER_MAX else None


def text_of(word: bytes) -> str:
    """Return a client's word for an error text; the encoder gives its very bytes back."""
    return word.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def invalid_expiry(name: str) -> Refusal:
    """Return Redis' error for a time that cannot be meant."""
    return Refusal(f"ERR invalid expire time in '{name}' command")


UNITS: Final[dict[bytes, tuple[int, bool]]] = {
    b"EX": (1000, True),
    b"PX": (1, True),
    b"EXAT": (1000, False),
    b"PXAT": (1, False),
}
"""Option to (ms a unit, relative)."""


def _overflows(ms: int) -> bool:
    # By this node's clock, before anything is proposed: the entry's stamp is not known yet. What is
    # near the end to it alone is cut by the machine.
    return ms > INTEGER_MAX - time_ns() // 1_000_000


def positive_expiry(word: bytes, unit: tuple[int, bool], name: str) -> Expiry | Refusal:
    """Return the expiry of SET, GETEX, SETEX: more than zero."""
    number = integer(word)
    if number is None:
        return NOT_INTEGER
    ms_each, relative = unit
    if number <= 0 or number > INTEGER_MAX // ms_each:
        return invalid_expiry(name)
    ms = number * ms_each
    if relative and _overflows(ms):
        return invalid_expiry(name)
    return Expiry(ms, relative)


def any_expiry(word: bytes, unit: tuple[int, bool], name: str) -> Expiry | Refusal:
    """Return the expiry of EXPIRE and its kin: the past is a time too."""
    number = integer(word)
    if number is None:
        return NOT_INTEGER
    ms_each, relative = unit
    # C divides towards zero.
    if number > INTEGER_MAX // ms_each or number < -(-INTEGER_MIN // ms_each):
        return invalid_expiry(name)
    ms = number * ms_each
    if relative and _overflows(ms):
        return invalid_expiry(name)
    return Expiry(ms, relative)
