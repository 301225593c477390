"""The report page: what every client asked and was told, on a time axis, and the verdict.

One file for a browser, without anything from elsewhere. Everything that comes from a history is
escaped: a value may hold whatever a client wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import msgspec

from pnyx.lab.history import History, Operation, Process
from pnyx.lab.linearizability import Verdict
from pnyx.lab.refutation import Refutation
from pnyx.lab.reportpage import FRAME, SCRIPT, STYLE
from pnyx.lab.values import shown

VALUE_CHARACTERS_MAX: Final = 400
NAMED_ROW: Final = '<tr class="named">'
MARGIN: Final = 0.5
"""Of the failing part's length, shown before and after it at first."""


@dataclass(frozen=True, slots=True)
class Band:
    """A fault that was there for a while."""

    label: str
    from_us: int
    to_us: int
    nodes: tuple[str, ...] = ()


def page(
    history: History,
    verdict: Verdict,
    refutation: Refutation | None = None,
    *,
    bands: Sequence[Band] = (),
    title: str = "history",
) -> str:
    """Return the page; `bands` are shown if every operation has a time."""
    operations = history.operations()
    axis = _Axis(operations, history.event_count)
    data = _data(operations, axis, history.event_count - 1, verdict, refutation)
    data["bands"] = [
        [band.label, band.from_us, band.to_us, ", ".join(band.nodes)]
        for band in bands
        if axis.is_timed
    ]
    why = f'<p class="why">{escape(refutation.reason.sentence)}</p>' if refutation else ""
    if verdict.word == "undecided":
        why = f'<p class="why">No answer after {verdict.steps} steps.</p>'
    mark = '<span class="mark"></span>when it took effect'
    if refutation:
        mark = '<span class="named"></span>named in the sentence'
    return FRAME.format(
        title=escape(title),
        word=verdict.word,
        class_=verdict.word.split()[0],
        style=STYLE,
        summary=escape(_summary(history, operations)),
        why=why,
        key=mark,
        part=_part(refutation) if refutation else "",
        operations=_for_script(data),
        script=SCRIPT,
    )


class _Axis:
    """Microseconds if every operation has them; else positions of events."""

    def __init__(self, operations: Sequence[Operation], event_count: int) -> None:
        self.is_timed = bool(operations) and all(
            one.called_us is not None and (one.returned is None or one.returned_us is not None)
            for one in operations
        )
        self._times = [float(at) for at in range(event_count)]
        for one in operations if self.is_timed else ():
            self._times[one.called] = float(one.called_us or 0)
            if one.returned is not None:
                self._times[one.returned] = float(one.returned_us or 0)
        if self.is_timed:
            self._fill(operations)
        self.begin = self._times[0] if self._times else 0.0
        self.end = max([*self._times, self.begin + 1.0])

    def _fill(self, operations: Sequence[Operation]) -> None:
        """Give the return of an unknown outcome, which no operation keeps, the time before it."""
        known = {one.called for one in operations}
        known |= {one.returned for one in operations if one.returned is not None}
        for at in range(1, len(self._times)):
            if at not in known:
                self._times[at] = self._times[at - 1]

    def at(self, position: float) -> float:
        """Return where an event is, or a point between two events."""
        before = int(position)
        after = min(before + 1, len(self._times) - 1)
        part = position - before
        return round(self._times[before] * (1 - part) + self._times[after] * part, 3)


def _data(
    operations: Sequence[Operation],
    axis: _Axis,
    history_end: int,
    verdict: Verdict,
    refutation: Refutation | None,
) -> dict[str, Any]:
    points = verdict.points() if verdict.word == "linearizable" else {}
    part = {one.number for one in refutation.operations} if refutation else set()
    named = {one.number for one in refutation.reason.named} if refutation else set()
    rows = {name: at for at, name in enumerate(dict.fromkeys(one.process for one in operations))}
    return {
        "rows": [str(name) for name in rows],
        "timed": axis.is_timed,
        "begin": axis.begin,
        "end": axis.end,
        "failed": refutation is not None,
        "view": _view(operations, axis, named),
        "operations": [
            {
                "row": rows[one.process],
                "from": axis.at(one.called),
                "until": axis.at(until),
                "outcome": one.outcome,
                "label": f"{one.call()} {one.reply()}",
                "text": _details(one),
                "point": axis.at(points[one.number]) if one.number in points else None,
                "part": one.number in part,
                "named": one.number in named,
            }
            for one, until in _with_ends(operations, history_end)
        ],
    }


def _with_ends(operations: Sequence[Operation], end: int) -> list[tuple[Operation, int]]:
    """Return with each operation where its bar ends: if nobody knows, where its client goes on."""
    found: list[tuple[Operation, int]] = []
    next_call: dict[Process, int] = {}
    for one in reversed(operations):
        until = one.returned if one.returned is not None else next_call.get(one.process, end)
        found.append((one, until))
        next_call[one.process] = one.called
    return found[::-1]


def _view(operations: Sequence[Operation], axis: _Axis, named: set[int]) -> list[float]:
    """Return what is shown at first: around what the sentence names, or everything."""
    shown_first = [one for one in operations if one.number in named]
    if not shown_first:
        return [axis.begin, axis.end]
    low = min(axis.at(one.called) for one in shown_first)
    ends = [one.returned if one.returned is not None else one.called for one in shown_first]
    high = max(axis.at(end) for end in ends)
    margin = max(1.0, (high - low) * MARGIN)
    return [max(axis.begin, low - margin), min(axis.end, high + margin)]


def _details(one: Operation) -> str:
    lines = [
        one.described(),
        one.call(),
        f"-> {shown(one.value, characters_max=VALUE_CHARACTERS_MAX)} ({one.outcome})",
    ]
    if one.line:
        lines.append(f"line {one.line}")
    return "\n".join(lines)


def _summary(history: History, operations: Sequence[Operation]) -> str:
    unknown = sum(one.outcome == "info" for one in operations)
    failed = sum(one.outcome == "fail" for one in operations)
    keys = len({shown(one.key) for one in operations})
    clients = len({one.process for one in operations})
    return (
        f"{len(operations)} operations of {clients} clients, {keys} keys, {history.model}; "
        f"{unknown} of unknown outcome, {failed} failed"
    )


def _part(refutation: Refutation) -> str:
    named = {one.number for one in refutation.reason.named}
    rows = [
        (NAMED_ROW if one.number in named else "<tr>")
        + "".join(
            f"<td>{escape(word)}</td>"
            for word in (one.described(), one.call(), one.reply(), str(one.line or ""))
        )
        + "</tr>"
        for one in refutation.operations
    ]
    least = "smallest part" if refutation.is_smallest else "smallest part found"
    return (
        f"<section><h2>The {least} that fails alone: {len(rows)} operations</h2>"
        "<table><tr><th>operation</th><th>asked</th><th>told</th><th>line</th></tr>"
        f"{''.join(rows)}</table></section>"
    )


def _for_script(data: dict[str, Any]) -> str:
    """Return JSON that cannot end the script element that it stands in."""
    text = msgspec.json.encode(data).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
