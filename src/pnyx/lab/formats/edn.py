"""Enough of EDN to read histories: maps, vectors, texts, numbers, keywords; each with its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from pnyx.lab.formats.transcript import unreadable
from pnyx.lab.values import FALSE, TRUE, Value, Word

DEPTH_MAX: Final = 32
TOKEN: Final = re.compile(
    r"""(?P<blank>[\s,]+|;[^\n]*)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<tag>\#[A-Za-z][\w./-]*)
    |(?P<open>\#\{|[\[({])
    |(?P<close>[\])}])
    |(?P<atom>[^\s,;"\[\](){}]+)""",
    re.VERBOSE | re.DOTALL,
)
ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\"}
CONSTANTS: Final[dict[str, Value]] = {"nil": None, "true": TRUE, "false": FALSE}
CLOSING: Final = {"[": "]", "(": ")", "{": "}", "#{": "}"}


@dataclass(frozen=True, slots=True)
class Map:
    """A map and the line on which it begins; only keywords are its keys, without their colon."""

    line: int
    fields: dict[str, Value]


Form: TypeAlias = "Map | Value"


@dataclass(slots=True)
class _Open:
    bracket: str
    line: int
    parts: list[tuple[int, Form]]
    had_maps: bool = False
    """Its maps were yielded one by one."""


def forms(text: str, *, first_line: int = 1) -> Iterator[tuple[int, Form]]:
    """Yield every top-level form with its line; the parts of a vector of maps one by one."""
    stack: list[_Open] = []
    for line, kind, token in _tokens(text, first_line):
        if kind == "open":
            _open(stack, line, token)
            continue
        if kind == "close":
            if not stack or CLOSING[stack[-1].bracket] != token:
                raise unreadable(line, f"{token} closes nothing")
            done = stack.pop()
            if done.had_maps and not done.parts:
                continue
            part: tuple[int, Form] = (done.line, _closed(done))
        else:
            part = (line, _text(line, token) if kind == "text" else _atom(line, token))
        if not stack:
            yield part
        elif _is_list_of_maps(stack, part[1]):
            stack[0].had_maps = True
            yield part
        else:
            stack[-1].parts.append(part)
    if stack:
        raise unreadable(stack[-1].line, f"{stack[-1].bracket} is never closed: cut off?")


def _open(stack: list[_Open], line: int, bracket: str) -> None:
    if len(stack) >= DEPTH_MAX:
        raise unreadable(line, f"more than {DEPTH_MAX} brackets within each other")
    stack.append(_Open(bracket, line, []))


def _is_list_of_maps(stack: list[_Open], part: Form) -> bool:
    return len(stack) == 1 and stack[0].bracket in "[(" and isinstance(part, Map)


def _tokens(text: str, first_line: int) -> Iterator[tuple[int, str, str]]:
    at, line = 0, first_line
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise unreadable(line, f"{text[at : at + 20]!r} cannot be read: cut off?")
        if match.lastgroup not in {"blank", "tag"}:
            yield line, match.lastgroup, match.group()
        line += match.group().count("\n")
        at = match.end()


def _closed(done: _Open) -> Form:
    if done.bracket != "{":
        return tuple(_plain(line, part) for line, part in done.parts)
    if len(done.parts) % 2:
        raise unreadable(done.line, "a map has a key without a value")
    fields: dict[str, Value] = {}
    for (line, key), (_, value) in zip(done.parts[::2], done.parts[1::2], strict=True):
        if not isinstance(key, Word) or not key.name.startswith(":"):
            raise unreadable(line, "a map of an operation has keywords as keys")
        if key.name[1:] in fields:
            raise unreadable(line, f"{key.name} stands twice in a map")
        # A map inside, such as of an exception, says nothing about the operation.
        fields[key.name[1:]] = Word("{}") if isinstance(value, Map) else value
    return Map(done.line, fields)


def _plain(line: int, part: Form) -> Value:
    if isinstance(part, Map):
        raise unreadable(line, "a map is no value of a key")
    return part


def _text(line: int, token: str) -> str:
    def meant(match: re.Match[str]) -> str:
        word = match.group(1)
        if word[0] == "u" and len(word) == 5:
            return chr(int(word[1:], 16))
        if word not in ESCAPES:
            raise unreadable(line, f"\\{word} stands for no character")
        return ESCAPES[word]

    return ESCAPE.sub(meant, token[1:-1])


def _atom(line: int, token: str) -> Value:
    if token in CONSTANTS:
        return CONSTANTS[token]
    if re.fullmatch(r"[+-]?\d+N?", token):
        if len(token) > 400:
            raise unreadable(line, "a number of more than 400 digits")
        return int(token.rstrip("N"))
    if re.fullmatch(r"[+-]?\d+\.\d*(?:[eE][+-]?\d+)?M?", token):
        return float(token.rstrip("M"))
    if re.fullmatch(r":?[A-Za-z*!_?$%&=<>|.+/-][\w*!?$%&=<>|.+/:#'-]*", token):
        return Word(token)
    raise unreadable(line, f"{token[:20]!r} is nothing in EDN")
