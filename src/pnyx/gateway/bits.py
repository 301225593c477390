"""The rows of the bit commands."""

import re
from typing import Final

from pnyx.gateway.rows import KeySpec, Row
from pnyx.gateway.words import NOT_INTEGER, SYNTAX, integer
from pnyx.machine.commands import (
    AnyCommand,
    BitCount,
    BitField,
    BitFieldRead,
    BitOp,
    BitPos,
    BitStep,
    GetBit,
    SetBit,
)
from pnyx.machine.results import Refusal

OFFSET_MAX: Final = 2**32 - 1
"""Of a bit, in Redis at its default limit of 512 MiB; our machine has a lower one for growth."""

_BAD_OFFSET: Final = Refusal("ERR bit offset is not an integer or out of range")
_BAD_BIT: Final = Refusal("ERR bit is not an integer or out of range")
_BAD_FIELD: Final = Refusal(
    "ERR Invalid bitfield type. Use something like i16 u8. "
    "Note that u64 is not supported but i64 is."
)


def _offset(word: bytes) -> int | None:
    offset = integer(word)
    return offset if offset is not None and 0 <= offset <= OFFSET_MAX else None


def _setbit(words: list[bytes]) -> AnyCommand | Refusal:
    offset = _offset(words[2])
    if offset is None:
        return _BAD_OFFSET
    bit = integer(words[3])
    return SetBit(words[1], offset, bit) if bit in {0, 1} and bit is not None else _BAD_BIT


def _getbit(words: list[bytes]) -> AnyCommand | Refusal:
    offset = _offset(words[2])
    return _BAD_OFFSET if offset is None else GetBit(words[1], offset)


_UNITS: Final = {b"BYTE": False, b"BIT": True}


def _bitcount(words: list[bytes]) -> AnyCommand | Refusal:
    if len(words) == 2:
        return BitCount(words[1])
    if len(words) not in {4, 5}:
        return SYNTAX
    start, stop = integer(words[2]), integer(words[3])
    if start is None or stop is None:
        return NOT_INTEGER
    by_bit = _UNITS.get(words[4].upper()) if len(words) == 5 else False
    return SYNTAX if by_bit is None else BitCount(words[1], start, stop, by_bit)


def _bitpos(words: list[bytes]) -> AnyCommand | Refusal:
    bit = integer(words[2])
    if bit is None:
        return NOT_INTEGER
    if bit not in {0, 1}:
        return Refusal("ERR The bit argument must be 1 or 0.")
    by_bit = _UNITS.get(words[5].upper()) if len(words) > 5 else False
    if by_bit is None or len(words) > 6:
        return SYNTAX
    bounds = [integer(word) for word in words[3:5]]
    if None in bounds:
        return NOT_INTEGER
    start, stop = (*bounds, None, None)[:2]
    return BitPos(words[1], bit, start, stop, by_bit)


_OPERATIONS: Final = {b"AND": "and", b"OR": "or", b"XOR": "xor", b"NOT": "not"}


def _bitop(words: list[bytes]) -> AnyCommand | Refusal:
    operation = _OPERATIONS.get(words[1].upper())
    if operation is None:
        return SYNTAX
    if operation == "not" and len(words) != 4:
        return Refusal("ERR BITOP NOT must be called with a single source key.")
    return BitOp(operation, words[2], tuple(words[3:]))


_FIELD: Final = re.compile(rb"([iu])([1-9][0-9]?)\Z")
_OVERFLOWS: Final = {b"WRAP": "wrap", b"SAT": "sat", b"FAIL": "fail"}


def _step(
    action: str, field: bytes, offset: bytes, operand: bytes | None, overflow: str
) -> BitStep | Refusal:
    match = _FIELD.match(field)
    if match is None:
        return _BAD_FIELD
    signed, bits = match[1] == b"i", int(match[2])
    if bits > (64 if signed else 63):
        return _BAD_FIELD
    position = integer(offset.removeprefix(b"#"))
    if position is not None and offset.startswith(b"#"):
        position *= bits
    if position is None or not 0 <= position <= OFFSET_MAX:
        return _BAD_OFFSET
    if operand is None:
        return BitStep(action, signed, bits, position)
    number = integer(operand)
    if number is None:
        return NOT_INTEGER
    return BitStep(action, signed, bits, position, number, overflow)


def _steps(words: list[bytes]) -> tuple[BitStep, ...] | Refusal:
    steps: list[BitStep] = []
    overflow = "wrap"
    at = 2
    while at < len(words):
        action = words[at].upper()
        left = len(words) - at - 1
        if action == b"GET" and left >= 2:
            step = _step("get", words[at + 1], words[at + 2], None, overflow)
            at += 3
        elif action in {b"SET", b"INCRBY"} and left >= 3:
            name = action.lower().decode()
            step = _step(name, words[at + 1], words[at + 2], words[at + 3], overflow)
            at += 4
        elif action == b"OVERFLOW" and left >= 1:
            mode = _OVERFLOWS.get(words[at + 1].upper())
            if mode is None:
                return Refusal("ERR Invalid OVERFLOW type specified")
            overflow = mode
            at += 2
            continue
        else:
            return SYNTAX
        if isinstance(step, Refusal):
            return step
        steps.append(step)
    return tuple(steps)


def _bitfield(words: list[bytes]) -> AnyCommand | Refusal:
    steps = _steps(words)
    if isinstance(steps, Refusal):
        return steps
    if all(step.action == "get" for step in steps):
        return BitFieldRead(words[1], steps)
    return BitField(words[1], steps)


def _bitfield_ro(words: list[bytes]) -> AnyCommand | Refusal:
    steps = _steps(words)
    if isinstance(steps, Refusal):
        return steps
    if any(step.action != "get" for step in steps):
        return Refusal("ERR BITFIELD_RO only supports the GET subcommand")
    return BitFieldRead(words[1], steps)


_ONE: Final = (1, 1, 1)
_PER_BYTE: Final = "O(N) in the bytes of the values"


def _spec(flags: str) -> tuple[KeySpec, ...]:
    return (KeySpec(flags, 1, 0, 1),)


ROWS: Final = (
    Row("setbit", 4, "write denyoom", "bitmap", "2.2.0", "Set or clear a bit, return the old one",
        _setbit, keys=_ONE, specs=_spec("RW access update"), categories="bitmap"),
    Row("getbit", 3, "readonly fast", "bitmap", "2.2.0", "Return a bit",
        _getbit, keys=_ONE, specs=_spec("RO access"), categories="bitmap"),
    Row("bitcount", -2, "readonly", "bitmap", "2.6.0", "Count the bits that are set",
        _bitcount, keys=_ONE, specs=_spec("RO access"), categories="bitmap",
        complexity=_PER_BYTE),
    Row("bitpos", -3, "readonly", "bitmap", "2.8.7", "Find the first bit that is set or clear",
        _bitpos, keys=_ONE, specs=_spec("RO access"), categories="bitmap", complexity=_PER_BYTE),
    Row("bitop", -4, "write denyoom", "bitmap", "2.6.0", "Combine values bit by bit",
        _bitop, keys=(2, -1, 1), categories="bitmap", complexity=_PER_BYTE,
        specs=(KeySpec("OW update", 2, 0, 1), KeySpec("RO access", 3, -1, 1))),
    Row("bitfield", -2, "write denyoom", "bitmap", "3.2.0", "Read and change integers of any width",
        _bitfield, keys=_ONE, specs=_spec("RW access update variable_flags"), categories="bitmap",
        complexity="O(1) for each step"),
    Row("bitfield_ro", -2, "readonly fast", "bitmap", "6.0.0", "Read integers of any width",
        _bitfield_ro, keys=_ONE, specs=_spec("RO access"), categories="bitmap",
        complexity="O(1) for each step"),
)  # fmt: skip
