"""Does a recorded history say what happened, and does its file say the same?"""

import pytest

from lab.histories import Shape, made
from pnyx.lab.formats.reading import read
from pnyx.lab.history import History
from pnyx.lab.values import FALSE, TRUE, NotAValue, Word, frozen, shown, thawed


def test_an_operation_without_a_return_stays_unknown_and_open() -> None:
    history = History("register")
    history.call("a", "write", None, (1,))
    answered = history.call("b", "read", None)
    history.returned(answered, "ok", 1)
    lost, read_back = history.operations()
    assert (lost.outcome, lost.returned) == ("info", None)
    assert (read_back.outcome, read_back.returned, read_back.value) == ("ok", 2, 1)


def test_a_return_of_unknown_outcome_leaves_the_operation_open_and_frees_its_process() -> None:
    history = History("register")
    history.returned(history.call(1, "write", None, (1,)), "info")
    assert history.operations()[0].returned is None
    assert history.open_of(1) is None


def test_a_process_cannot_ask_twice_at_once_nor_be_answered_twice() -> None:
    history = History("register")
    number = history.call(1, "read", None)
    with pytest.raises(AssertionError, match="waits"):
        history.call(1, "read", None)
    history.returned(number, "ok")
    with pytest.raises(AssertionError, match="once"):
        history.returned(number, "ok")


def test_a_written_history_reads_back_as_it_was() -> None:
    history = made(Shape(200, 7, 3, 20), seed=5)
    again = read("".join(history.lines()).encode())
    fields = ("process", "function", "key", "arguments", "called", "returned", "outcome", "value")
    for one, other in zip(history.operations(), again.operations(), strict=True):
        assert [getattr(one, f) for f in fields] == [getattr(other, f) for f in fields]
        assert one.called_us == other.called_us
    assert list(again.lines()) == list(history.lines())


@pytest.mark.parametrize(
    "value", [None, 0, -3, 1.5, "", "ü", b"\xff\x00", TRUE, FALSE, (1, (2, "x")), (None,)]
)
def test_a_value_survives_its_file(value: object) -> None:
    assert frozen(thawed(frozen(value))) == frozen(value)


def test_true_is_not_one() -> None:
    assert frozen(True) != frozen(1)
    assert frozen(Word(":one")) != frozen("one")


@pytest.mark.parametrize("value", [{"a": 1}, {"base64": "%"}, object()])
def test_what_cannot_be_compared_is_no_value(value: object) -> None:
    with pytest.raises(NotAValue):
        frozen(value)


def test_a_long_value_is_cut_in_the_middle_where_people_read_it() -> None:
    text = shown("a" * 500 + "z")
    assert len(text) <= 60
    assert text.startswith('"aaa')
    assert text.endswith('az"')
