"""Does the report page show the verdict, and stay whole whatever clients wrote?"""

import re
from html.parser import HTMLParser
from typing import Any

import msgspec

from lab.histories import Shape, made, spoilt
from pnyx.lab.history import History
from pnyx.lab.linearizability import judge
from pnyx.lab.refutation import refute
from pnyx.lab.report import Band, page

NASTY = "</script><script>alert(1)</script>{x}<b>&\"'"


class Parts(HTMLParser):
    """The elements of a page, and the text within scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.scripts: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1] == "script":
            self.scripts.append(data)


def operations_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(Parts(text).scripts[0])
    return found


def test_a_linearizable_history_shows_a_point_within_every_bar() -> None:
    history = made(Shape(200, 5, 2, 10), seed=1)
    shown = operations_of(page(history, judge(history)))
    assert len(shown["operations"]) == 200
    for one in shown["operations"]:
        if one["outcome"] == "ok":
            assert one["from"] <= one["point"] <= one["until"]


def test_a_refuted_history_shows_the_sentence_and_marks_the_part() -> None:
    history = spoilt(made(Shape(400, 8, 3, 10), seed=11), seed=3)
    verdict = judge(history)
    refutation = refute(history, verdict)
    text = page(history, verdict, refutation)
    assert "verdict not" in text
    assert refutation.reason.sentence.replace('"', "&quot;") in text
    marked = [one for one in operations_of(text)["operations"] if one["part"]]
    assert len(marked) == len(refutation.operations)
    assert sum(bool(one["named"]) for one in marked) == len(refutation.reason.named)


def test_what_clients_wrote_cannot_become_part_of_the_page() -> None:
    history = History("register")
    history.returned(history.call(NASTY, "write", NASTY, (NASTY,)), "ok")
    history.returned(history.call(1, "read", NASTY), "ok", NASTY + "?")
    verdict = judge(history)
    text = page(history, verdict, refute(history, verdict), title=NASTY)
    plain = page(made(Shape(3, 1, 1), 1), judge(made(Shape(3, 1, 1), 1)))
    assert Parts(text).elements.count("script") == Parts(plain).elements.count("script") == 2
    assert "b" not in Parts(text).elements
    assert operations_of(text)["rows"][0] == NASTY


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(made(Shape(30, 3, 1), 1), judge(made(Shape(30, 3, 1), 1)))
    assert Parts(text).addresses == []
    assert re.findall(r"https?://[^\s'\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "@import" not in text
    assert "url(" not in text


def test_faults_are_bands_on_the_time_axis() -> None:
    history = made(Shape(30, 3, 1), seed=1)
    band = Band("partition", 1000, 5000, ("n1", "n2"))
    shown = operations_of(page(history, judge(history), bands=[band]))
    assert shown["bands"] == [["partition", 1000, 5000, "n1, n2"]]
    assert shown["timed"]


def test_without_times_the_axis_counts_events() -> None:
    history = History("register")
    history.call(1, "write", None, (1,))
    history.returned(history.call(2, "read", None), "ok", 1)
    band = Band("partition", 1000, 5000)
    shown = operations_of(page(history, judge(history), bands=[band]))
    assert shown["bands"] == []
    assert [one["from"] for one in shown["operations"]] == [0, 1]
