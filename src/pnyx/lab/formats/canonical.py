"""Canonical JSON lines: a line about the model, then a line for each call and each return."""

from collections.abc import Iterator
from typing import Any

import msgspec

from pnyx.lab.formats.transcript import Transcript, unreadable
from pnyx.lab.history import History
from pnyx.lab.values import NotAValue, Value, frozen

CALL_FIELDS = ("ev", "op", "p", "f", "a")
RETURN_FIELDS = ("ev", "op", "p", "st", "v")


def read(text: str, model: str | None) -> History:
    """Return the history; `model` replaces the one that the file names."""
    lines = _objects(text)
    first, head = next(lines, (1, {}))
    transcript = _transcript(first, head, model)
    numbers: dict[Value, int] = {}
    position = -1
    line = first
    for line, event in lines:
        position = _position(line, event, position)
        match event.get("ev"):
            case "call":
                _call(transcript, line, event, numbers)
            case "ret":
                _return(transcript, line, event, numbers)
            case other:
                raise unreadable(line, f'"ev" is {other!r}, not "call" or "ret"')
    return transcript.finished(line)


def _objects(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise unreadable(number, f"this is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise unreadable(number, "a line is a JSON object")
        yield number, found


def _transcript(line: int, head: dict[str, Any], model: str | None) -> Transcript:
    meta = head.get("meta")
    if not isinstance(meta, dict):
        raise unreadable(line, 'the first line is {"meta": {"model": ...}}')
    named = model or meta.get("model")
    if not isinstance(named, str):
        raise unreadable(line, '"meta" names no "model"')
    initial = meta.get("initial")
    if named.startswith("kv-") and isinstance(initial, dict):
        return Transcript(
            named, tuple((key, _value(line, of)) for key, of in initial.items()), line
        )
    if named.startswith("kv-") and isinstance(initial, list):
        raise unreadable(line, '"initial" is an object, a value for each key')
    return Transcript(named, _value(line, initial), line)


def _position(line: int, event: dict[str, Any], before: int) -> int:
    position = event.get("i", before + 1)
    if type(position) is not int:
        raise unreadable(line, '"i" is not a whole number')
    if position <= before:
        raise unreadable(line, f'"i" is {position} after {before}: the order in a file is time')
    return position


def _call(
    transcript: Transcript, line: int, event: dict[str, Any], numbers: dict[Value, int]
) -> None:
    _expect(line, event, CALL_FIELDS)
    name = _name(line, event, "op")
    if name in numbers:
        raise unreadable(line, f"there is an operation {name} already")
    function, arguments = event["f"], event["a"]
    if not isinstance(function, str) or not isinstance(arguments, list):
        raise unreadable(line, '"f" is a name and "a" a list')
    numbers[name] = transcript.call(
        line,
        _name(line, event, "p"),
        function,
        _value(line, event.get("k")),
        tuple(_value(line, argument) for argument in arguments),
        name=str(name),
        time_us=_time(line, event),
    )


def _return(
    transcript: Transcript, line: int, event: dict[str, Any], numbers: dict[Value, int]
) -> None:
    _expect(line, event, RETURN_FIELDS[:-1])
    name = _name(line, event, "op")
    if name not in numbers:
        raise unreadable(line, f"operation {name} returns and was never called")
    number = numbers[name]
    asked = transcript.history.operation(number)
    if asked.process != _name(line, event, "p"):
        raise unreadable(line, f"operation {name} is process {asked.process}'s")
    outcome = event["st"]
    if outcome not in {"ok", "fail", "info"}:
        raise unreadable(line, f'"st" is {outcome!r}, not "ok", "fail" or "info"')
    if outcome == "ok" and asked.is_read and "v" not in event:
        raise unreadable(line, 'there is no "v", the value that was read')
    value = _value(line, event.get("v"))
    transcript.returned(line, number, outcome, value, time_us=_time(line, event))


def _expect(line: int, event: dict[str, Any], fields: tuple[str, ...]) -> None:
    missing = [f'"{field}"' for field in fields if field not in event]
    if missing:
        raise unreadable(line, f"there is no {', '.join(missing)}")


def _name(line: int, event: dict[str, Any], field: str) -> int | str:
    name = event[field]
    if type(name) is not int and not isinstance(name, str):
        raise unreadable(line, f'"{field}" is not a whole number or a text')
    return name


def _time(line: int, event: dict[str, Any]) -> int | None:
    time_us = event.get("t")
    if time_us is not None and type(time_us) is not int:
        raise unreadable(line, '"t" is not a whole number of microseconds')
    return time_us


def _value(line: int, value: object) -> Value:
    try:
        return frozen(value)
    except NotAValue as error:
        raise unreadable(line, str(error)) from error
