"""What stands in a history as key, argument or reply, how it is compared and how it is shown."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

SHOWN_CHARACTERS_MAX: Final = 60
"""Longer values are cut in the middle where people read them."""


@dataclass(frozen=True, slots=True)
class Word:
    """A value that is a name: true, false, or a keyword or symbol of EDN.

    Python's True equals 1, so a register that was set to one and read as the other would pass.
    """

    name: str


TRUE: Final = Word("true")
FALSE: Final = Word("false")
Value: TypeAlias = "int | float | str | bytes | Word | tuple[Value, ...] | None"


class NotAValue(Exception):
    """Something that cannot stand in a history; the reader of the file knows the line."""


def frozen(value: object) -> Value:
    """Return a JSON or Python value as it stands in a history; `NotAValue` if it cannot."""
    match value:
        case bool():
            return TRUE if value else FALSE
        case Word() | None | int() | float() | str() | bytes():
            return value
        case list() | tuple():
            return tuple(frozen(part) for part in value)
        case {"base64": str(text), **rest} if not rest:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise NotAValue("its base64 is not base64") from error
        case {"value": text, "version": int(version), **rest} if not rest:
            return (frozen(text), version)
        case _:
            raise NotAValue("a value is a text, a number, true, false, null or a list of these")


def thawed(value: Value) -> object:
    """Return a value as JSON writes it; `frozen` gives it back, keywords as texts."""
    match value:
        case Word(name):
            return {"true": True, "false": False}.get(name, name)
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return {"base64": base64.b64encode(value).decode()}
        case tuple():
            return [thawed(part) for part in value]
        case _:
            return value


def shown(value: Value, *, characters_max: int = SHOWN_CHARACTERS_MAX) -> str:
    """Return a value as a person reads it: texts in quotes, `nil` for nothing, cut if long."""
    match value:
        case None:
            whole = "nil"
        case Word(name):
            whole = name
        case tuple():
            whole = "[" + " ".join(shown(part) for part in value) + "]"
        case str() | int() | float():
            whole = msgspec.json.encode(value).decode(errors="replace")
        case _:
            whole = '"' + value.decode(errors="backslashreplace") + '"'
    if len(whole) <= characters_max:
        return whole
    half = (characters_max - 3) // 2
    return f"{whole[:half]}...{whole[-half:]}"
