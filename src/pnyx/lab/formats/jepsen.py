"""Jepsen's operations, as a log of lines or as EDN maps, and the model that they speak of.

A compare-and-set that `:fail`s and returns what it was asked was told that the values differ, as in
the logs of etcd that everybody tests with; one that fails otherwise only had no effect.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from pnyx.lab.formats.edn import Map, forms
from pnyx.lab.formats.transcript import Transcript, unreadable
from pnyx.lab.history import History
from pnyx.lab.values import FALSE, Value, Word

LOG_LINE: Final = re.compile(r"^(?:\d[^\"]*?)?\b(?:INFO|WARN|ERROR|DEBUG|TRACE)\b[^\"]*? - ")
JEPSEN_LOGGER: Final = re.compile(r"\bjepsen\.util - ")
LOG_EVENT: Final = re.compile(r"^(\S+)\s+:(\S+)\s+:(\S+)(?:\s+(.*))?$", re.DOTALL)
NOT_CLIENTS: Final = (":nemesis",)


@dataclass(slots=True)
class Event:
    """One line of a log, or one map."""

    line: int
    process: int
    type: Literal["invoke", "ok", "fail", "info"]
    function: str
    value: Value
    has_value: bool
    key: Value = None
    has_key: bool = False
    error: Value = None
    time_us: int | None = None


def read_log(text: str, model: str | None) -> History:
    """Return the history of a log of lines `process :type :function value`."""
    return _history(list(_log_events(text)), model, text.count("\n") + 1)


def read_maps(text: str, model: str | None) -> History:
    """Return the history of EDN maps, one after the other or in a vector."""
    return _history(list(_map_events(text)), model, text.count("\n") + 1)


def _log_events(text: str) -> Iterator[Event]:
    for line, whole in enumerate(text.split("\n"), start=1):
        words = whole.strip()
        if prefix := LOG_LINE.match(words):
            if not JEPSEN_LOGGER.search(prefix.group()):
                continue
            words = words[prefix.end() :]
        if not words:
            continue
        match = LOG_EVENT.match(words)
        if match is None:
            raise unreadable(line, "this is not `process :type :function value`: cut off?")
        process, kind, function, rest = match.groups()
        if process in NOT_CLIENTS:
            continue
        values = [value for _, value in forms(rest or "", first_line=line)]
        plain = [value for value in values if not isinstance(value, Map)]
        yield Event(
            line,
            _process(line, _number(process)),
            _type(line, kind),
            function,
            plain[0] if plain else None,
            has_value=bool(plain),
            error=plain[1] if len(plain) > 1 else None,
        )


def _map_events(text: str) -> Iterator[Event]:
    for line, form in forms(text):
        if not isinstance(form, Map):
            raise unreadable(line, "an operation is a map")
        fields = form.fields
        if fields.get("process") in [Word(name) for name in NOT_CLIENTS]:
            continue
        for field in ("process", "type", "f"):
            if field not in fields:
                raise unreadable(line, f"there is no :{field}")
        time_ns = fields.get("time")
        yield Event(
            line,
            _process(line, fields["process"]),
            _type(line, _keyword(line, fields["type"])),
            _keyword(line, fields["f"]),
            fields.get("value"),
            has_value="value" in fields,
            key=fields.get("key"),
            has_key="key" in fields,
            error=fields.get("error"),
            time_us=time_ns // 1000 if isinstance(time_ns, int) else None,
        )


def _number(word: str) -> Value:
    return int(word) if re.fullmatch(r"\d{1,18}", word) else None


def _process(line: int, value: Value) -> int:
    if not isinstance(value, int):
        raise unreadable(line, "the process is not a whole number")
    return value


def _keyword(line: int, value: Value) -> str:
    if not isinstance(value, Word) or not value.name.startswith(":"):
        raise unreadable(line, ":type and :f are keywords")
    return value.name[1:]


def _type(line: int, word: str) -> Literal["invoke", "ok", "fail", "info"]:
    match word:
        case "invoke" | "ok" | "fail" | "info":
            return word
        case _:
            raise unreadable(line, f":{word} is not :invoke, :ok, :fail or :info")


def _history(events: list[Event], model: str | None, last_line: int) -> History:
    named = model or _model(events)
    transcript = Transcript(named, None, 1)
    if _is_independent(events):
        _take_keys(events)
    asked: dict[int, tuple[int, Event]] = {}
    for event in events:
        if event.type == "invoke":
            number = transcript.call(
                event.line,
                event.process,
                event.function,
                event.key,
                _arguments(event),
                time_us=event.time_us,
            )
            asked[event.process] = (number, event)
        elif event.process not in asked:
            raise unreadable(event.line, f"process {event.process} returns and asked nothing")
        else:
            _return(transcript, event, *asked.pop(event.process))
    return transcript.finished(last_line)


def _model(events: Iterable[Event]) -> str:
    functions = {event.function for event in events}
    if "append" in functions:
        return "kv-append"
    if "cas" in functions:
        return "cas-register"
    return "kv-append" if functions & {"get", "put"} else "register"


def _arguments(event: Event) -> tuple[Value, ...]:
    if not event.has_value:
        raise unreadable(event.line, "there is no value")
    match event.function:
        case "read" | "get":
            return ()
        case "cas":
            if not isinstance(event.value, tuple) or len(event.value) != 2:
                raise unreadable(event.line, "a :cas has two values, [expected new]")
            return event.value
        case "put" | "write" | "append" if event.value is None:
            raise unreadable(event.line, f"a :{event.function} writes a value")
        case _:
            return (event.value,)


def _return(transcript: Transcript, event: Event, number: int, asked: Event) -> None:
    if event.function != asked.function:
        raise unreadable(
            event.line, f":{event.function} returns, line {asked.line} asked :{asked.function}"
        )
    if event.has_key and event.key != asked.key:
        raise unreadable(event.line, f"the key is not that of line {asked.line}")
    is_read = event.function in {"read", "get"}
    if event.type == "ok" and is_read and not event.has_value:
        raise unreadable(event.line, "there is no value, the one that was read")
    is_same = event.value == asked.value
    if event.type == "ok" and not is_read and event.has_value and not is_same:
        raise unreadable(event.line, f"another value returns than line {asked.line} asked for")
    assert event.type != "invoke", "a call is no return"
    outcome = event.type
    value = event.value if event.type == "ok" and is_read else None
    if event.type == "fail" and event.function == "cas" and is_same and event.error is None:
        outcome, value = "ok", FALSE
    transcript.returned(event.line, number, outcome, value, time_us=event.time_us)


def _is_independent(events: list[Event]) -> bool:
    """Whether every call has a pair [key value], as Jepsen's `independent` makes them."""
    calls = [event for event in events if event.type == "invoke"]
    return bool(calls) and all(_is_pair(event) for event in calls)


def _is_pair(event: Event) -> bool:
    if event.has_key or not isinstance(event.value, tuple) or len(event.value) != 2:
        return False
    match event.function:
        case "read" | "get":
            return event.value[1] is None
        case "cas":
            return isinstance(event.value[1], tuple)
        case _:
            return True


def _take_keys(events: list[Event]) -> None:
    keys: dict[int, Value] = {}
    for event in events:
        if event.type == "invoke":
            assert isinstance(event.value, tuple), "seen before"
            event.key, event.value = event.value
            keys[event.process] = event.key
        elif isinstance(event.value, tuple) and len(event.value) == 2:
            if event.process in keys and event.value[0] != keys[event.process]:
                raise unreadable(event.line, "the key is not that of the call")
            event.value = event.value[1]
        elif event.type == "ok":
            raise unreadable(event.line, "there is no pair [key value]")
