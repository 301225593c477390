"""INCRBYFLOAT's arithmetic: an x87 long double, exactly, on every machine.

Redis adds 80-bit long doubles and prints ``%.17Lf`` without trailing zeros. Python has no such
type and a platform's libm need not agree with another's, so a number here is an exact dyadic
fraction, rounded where the hardware rounds: to 64 bits of mantissa, ties to even.
"""

import re
from dataclasses import dataclass
from typing import Final

MANTISSA_BITS: Final = 64
EXPONENT_MIN: Final = -16_445
"""The weight of the last bit of a subnormal."""
EXPONENT_END: Final = 16_384
"""Values of 2 ** 16384 and above are infinite."""
TEXT_BYTES_MAX: Final = 5 * 1024 - 1
"""Redis copies the text to a buffer of 5 KiB; a longer one is no number."""
DECIMALS: Final = 17

_DECIMAL: Final = re.compile(rb"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?")
_HEXADECIMAL: Final = re.compile(
    rb"([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?"
)
_INFINITE: Final = re.compile(rb"[+-]?inf(?:inity)?", re.IGNORECASE)
_DECIMAL_EXPONENT_MAX: Final = 20_000
"""Beyond it (after counting digits) a decimal is surely infinite or zero."""
_BINARY_EXPONENT_MAX: Final = 80_000


@dataclass(frozen=True, slots=True)
class LongDouble:
    """``mantissa * 2 ** exponent``; the sign is the mantissa's."""

    mantissa: int
    exponent: int


INVALID: Final = None
"""Not a number, or one that strtold says is out of range."""
INFINITE: Final = LongDouble(1, EXPONENT_END)
"""Spelled as such. Its sign does not matter: no sum with it is finite."""


def parse_decimal(text: bytes) -> LongDouble | None:
    """Return the number `text` spells to C's strtold, rounded; `INVALID` if Redis refuses it."""
    if not text or len(text) > TEXT_BYTES_MAX:
        return INVALID
    if _INFINITE.fullmatch(text):
        return INFINITE
    match = _DECIMAL.fullmatch(text)
    base = 10
    if match is None:
        match = _HEXADECIMAL.fullmatch(text)
        base = 16
    if match is None:
        return INVALID
    sign, whole, fraction, power = match.groups(default=b"")
    if not whole + fraction:
        return INVALID
    # Hexadecimal digits know no limit; those of ten are read in pieces.
    digits = _integer(whole + fraction) if base == 10 else int(whole + fraction, base)
    exponent = -_integer(power[1:]) if power[:1] == b"-" else _integer(power.lstrip(b"+"))
    magnitude = _scaled(digits, len(fraction), exponent, base)
    if magnitude is INVALID or sign != b"-":
        return magnitude
    return LongDouble(-magnitude.mantissa, magnitude.exponent)


def _scaled(digits: int, decimals: int, power: int, base: int) -> LongDouble | None:
    """Return digits * base ** -decimals, times ten or two to the `power`; None if out of range."""
    if digits == 0:
        return LongDouble(0, 0)
    if base == 16:
        exponent = power - 4 * decimals
        if abs(exponent) > _BINARY_EXPONENT_MAX:
            return INVALID
        numerator = digits << max(exponent, 0)
        denominator = 1 << max(-exponent, 0)
    else:
        exponent = power - decimals
        if abs(exponent) > _DECIMAL_EXPONENT_MAX:
            return INVALID
        numerator = digits * 10 ** max(exponent, 0)
        denominator = 10 ** max(-exponent, 0)
    rounded = _rounded(numerator, denominator)
    return INVALID if rounded is None or rounded.mantissa == 0 else rounded


def _rounded(numerator: int, denominator: int) -> LongDouble | None:
    """Return the nearest long double of a positive fraction, None if it is infinite."""
    # The quotient gets one bit too many at least, and the remainder makes it sticky.
    exponent = numerator.bit_length() - denominator.bit_length() - MANTISSA_BITS - 1
    quotient, rest = divmod(numerator << max(-exponent, 0), denominator << max(exponent, 0))
    excess = max(quotient.bit_length() - MANTISSA_BITS, EXPONENT_MIN - exponent)
    mantissa = _to_even(quotient, excess, sticky=rest != 0)
    exponent += excess
    if mantissa.bit_length() + exponent > EXPONENT_END:
        return None
    return LongDouble(mantissa, exponent)


def _to_even(number: int, bits: int, *, sticky: bool) -> int:
    """Return number / 2 ** bits, bits > 0, rounded half to even; `sticky`: it is a little more."""
    kept, lost = number >> bits, number & ((1 << bits) - 1)
    half = 1 << (bits - 1)
    up = lost > half or (lost == half and (sticky or kept & 1 == 1))
    return kept + up


def add_decimal(first: LongDouble, second: LongDouble) -> bytes | None:
    """Return the rounded sum as Redis prints it, None if it is infinite or no number."""
    if first is INFINITE or second is INFINITE:
        return None
    exponent = min(first.exponent, second.exponent)
    total = (first.mantissa << (first.exponent - exponent)) + (
        second.mantissa << (second.exponent - exponent)
    )
    if total == 0:
        return b"0"
    magnitude = _rounded(abs(total) << max(exponent, 0), 1 << max(-exponent, 0))
    if magnitude is None:
        return None
    return _printed(magnitude, negative=total < 0)


def _printed(magnitude: LongDouble, *, negative: bool) -> bytes:
    scaled = magnitude.mantissa * 10**DECIMALS
    if magnitude.exponent >= 0:
        units = scaled << magnitude.exponent
    else:
        units = _to_even(scaled, -magnitude.exponent, sticky=False)
    whole, decimals = divmod(units, 10**DECIMALS)
    text = _digits(whole)
    if decimals:
        text += b"." + (b"%017d" % decimals).rstrip(b"0")
    return b"-" + text if negative and units else text


# Python refuses to read or print an int of more than 4300 digits at once: in pieces, then.
_PIECE_DIGITS: Final = 1_000
_PIECE: Final = 10**_PIECE_DIGITS


def _integer(digits: bytes) -> int:
    number = 0
    for start in range(0, len(digits), _PIECE_DIGITS):
        piece = digits[start : start + _PIECE_DIGITS]
        number = number * 10 ** len(piece) + int(piece)
    return number


def _digits(whole: int) -> bytes:
    pieces: list[bytes] = []
    while whole >= _PIECE:
        whole, low = divmod(whole, _PIECE)
        pieces.append(b"%d" % (low + _PIECE))
    pieces.append(b"1%d" % whole)
    return b"".join([piece[1:] for piece in reversed(pieces)])
