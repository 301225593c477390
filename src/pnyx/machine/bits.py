"""What commands on a value as a string of bits do; Redis 7.0 bitops.c is the reference.

Bit 0 is the highest bit of the first byte. Beyond its end a value is all zeros.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_, xor
from typing import Any, Final

from pnyx.machine import commands as c
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.results import Refusal, Result
from pnyx.machine.strings import TOO_LONG

BITOP_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of all sources of one BITOP together, as many as one value has at most by default: about
25 ms, and more would hold the loop too long."""

BITOP_REFUSED: Final = Refusal(f"ERR BITOP takes at most {BITOP_BYTES_MAX} bytes of sources")

_OPERATIONS: Final[dict[str, Callable[[int, int], int]]] = {"and": and_, "or": or_, "xor": xor}


def _set_bit(keyspace: Keyspace, command: c.SetBit) -> Result:
    record = keyspace.record(command.key)
    before = b"" if record is None else record.value
    byte, shift = command.offset >> 3, 7 - (command.offset & 7)
    if byte >= max(len(before), keyspace.value_bytes_max):
        return TOO_LONG
    value = bytearray(before.ljust(byte + 1, b"\0"))
    bit = value[byte] >> shift & 1
    if bit != command.bit or len(value) != len(before):
        value[byte] = value[byte] & ~(1 << shift) | command.bit << shift
        keyspace.store(command.key, record, bytes(value))
    return bit


def _get_bit(keyspace: Keyspace, command: c.GetBit) -> Result:
    value = keyspace.value(command.key) or b""
    byte, shift = command.offset >> 3, 7 - (command.offset & 7)
    return value[byte] >> shift & 1 if byte < len(value) else 0


def _count(keyspace: Keyspace, command: c.BitCount) -> Result:
    value = keyspace.value(command.key)
    if value is None:
        return 0
    if command.start is None or command.stop is None:
        return int.from_bytes(value, "big").bit_count()
    if command.start < 0 and command.stop < 0 and command.start > command.stop:
        return 0
    units = len(value) * 8 if command.by_bit else len(value)
    start, stop = _range(command.start, command.stop, units)
    if start > stop:
        return 0
    if not command.by_bit:
        return int.from_bytes(value[start : stop + 1], "big").bit_count()
    return _bits_between(value, start, stop).bit_count()


def _range(start: int, stop: int, units: int) -> tuple[int, int]:
    """Return the range with negative ends counted from the end and both within the value."""
    start = max(start + units, 0) if start < 0 else start
    stop = max(stop + units, 0) if stop < 0 else stop
    return start, min(stop, units - 1)


def _bits_between(value: bytes, start: int, stop: int) -> int:
    """Return the bits from `start` to `stop`, both included, as one number."""
    piece = value[start >> 3 : (stop >> 3) + 1]
    number = int.from_bytes(piece, "big") >> (7 - (stop & 7))
    return number & ((1 << (stop - start + 1)) - 1)


def _position(keyspace: Keyspace, command: c.BitPos) -> Result:
    value = keyspace.value(command.key)
    if value is None:
        return -1 if command.bit else 0
    units = len(value) * 8 if command.by_bit else len(value)
    start, stop = _range(
        0 if command.start is None else command.start,
        units - 1 if command.stop is None else command.stop,
        units,
    )
    if start > stop:
        return -1
    if not command.by_bit:
        start, stop = start * 8, stop * 8 + 7
    found = _first(value, command.bit, start, stop)
    if found is None and not command.bit and command.stop is None:
        # Without an end the zeros beyond the value count.
        return stop + 1
    return -1 if found is None else found


def _first(value: bytes, bit: int, start: int, stop: int) -> int | None:
    """Return the first place of `bit` within start..stop, None if it is nowhere."""
    number = _bits_between(value, start, stop)
    width = stop - start + 1
    if not bit:
        number ^= (1 << width) - 1
    return None if number == 0 else start + width - number.bit_length()


def _combine(keyspace: Keyspace, command: c.BitOp) -> Result:
    sources: list[bytes] = []
    size = 0
    for key in command.keys:
        source = keyspace.value(key) or b""
        size += len(source)
        # Before the next is read: a command may name one large value a thousand times.
        if size > BITOP_BYTES_MAX:
            return BITOP_REFUSED
        sources.append(source)
    value = _combined(command.operation, sources)
    if value:
        keyspace.put(command.destination, value)
    else:
        keyspace.discard(command.destination)
    return len(value)


def _combined(operation: str, sources: Sequence[bytes]) -> bytes:
    # Little-endian: a shorter source then ends in the zeros it is to be filled with.
    width = max(map(len, sources))
    numbers = [int.from_bytes(source, "little") for source in sources]
    if operation == "not":
        return (numbers[0] ^ ((1 << 8 * width) - 1)).to_bytes(width, "little")
    return reduce(_OPERATIONS[operation], numbers).to_bytes(width, "little")


READS: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.GetBit: _get_bit,
    c.BitCount: _count,
    c.BitPos: _position,
}

WRITES: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {
    c.SetBit: _set_bit,
    c.BitOp: _combine,
}
