"""BITFIELD: integers of any width inside a value; Redis 7.0 bitops.c is the reference."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from pnyx.machine import commands as c
from pnyx.machine.commands import BitStep
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.results import Result, Values
from pnyx.machine.strings import TOO_LONG


def _read(keyspace: Keyspace, command: c.BitFieldRead) -> Result:
    value = keyspace.value(command.key) or b""
    return Values(tuple([_field(value, step) for step in command.steps]))


def _run(keyspace: Keyspace, command: c.BitField) -> Result:
    ends = [step.offset + step.bits for step in command.steps if step.action != "get"]
    record = keyspace.record(command.key)
    before = b"" if record is None else record.value
    if not ends:
        return Values(tuple([_field(before, step) for step in command.steps]))
    size = (max(ends) + 7) >> 3
    if size > max(len(before), keyspace.value_bytes_max):
        return TOO_LONG
    # Room is made for every step before the first, also for one that will then fail.
    value = bytearray(before.ljust(size, b"\0"))
    results = tuple([_step(value, step) for step in command.steps])
    if value != before:
        keyspace.store(command.key, record, bytes(value))
    return Values(results)


def _step(value: bytearray, step: BitStep) -> int | None:
    before = _field(value, step)
    if step.action == "get":
        return before
    if step.action == "set":
        # An unsigned field takes the operand's 64 bits as they are: -1 is the largest number.
        wanted = step.operand if step.signed else step.operand & 0xFFFF_FFFF_FFFF_FFFF
    else:
        wanted = before + step.operand
    after = _fitted(wanted, step)
    if after is None:
        return None
    _put_field(value, step, after)
    return before if step.action == "set" else after


def _fitted(wanted: int, step: BitStep) -> int | None:
    """Return what the field holds if `wanted` is put there, None if that is to fail."""
    low = -(1 << step.bits - 1) if step.signed else 0
    high = low + (1 << step.bits) - 1
    if low <= wanted <= high:
        return wanted
    if step.overflow == "fail":
        return None
    if step.overflow == "sat":
        # What SET puts far below a signed field Redis 7.0 takes for too large: it computes
        # `high - wanted` in 64 bits, and that overflows.
        wraps = step.signed and step.action == "set" and high - wanted >= 1 << 63
        return low if wanted < low and not wraps else high
    return (wanted - low) % (1 << step.bits) + low


def _field(value: Sequence[int], step: BitStep) -> int:
    first, last = step.offset >> 3, (step.offset + step.bits - 1) >> 3
    # Only bytes that exist are looked at: the offset of a read may be anywhere.
    piece = bytes(value[first : last + 1]).ljust(last - first + 1, b"\0")
    shift = 7 - ((step.offset + step.bits - 1) & 7)
    number = int.from_bytes(piece, "big") >> shift & ((1 << step.bits) - 1)
    if step.signed and number >> (step.bits - 1):
        return number - (1 << step.bits)
    return number


def _put_field(value: bytearray, step: BitStep, number: int) -> None:
    first, last = step.offset >> 3, (step.offset + step.bits - 1) >> 3
    shift = 7 - ((step.offset + step.bits - 1) & 7)
    mask = ((1 << step.bits) - 1) << shift
    piece = int.from_bytes(value[first : last + 1], "big") & ~mask
    piece |= (number << shift) & mask
    value[first : last + 1] = piece.to_bytes(last - first + 1, "big")


READS: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {c.BitFieldRead: _read}

WRITES: Final[dict[type[c.Command], Callable[[Keyspace, Any], Result]]] = {c.BitField: _run}
