"""Does the judge tell what some order explains from what none does?"""

import pytest
from hypothesis import given, settings, strategies as st

from lab.histories import Shape, changed, is_linearizable, made, spoilt
from pnyx.lab.history import History
from pnyx.lab.linearizability import Budget, judge
from pnyx.lab.refutation import refute
from pnyx.lab.values import FALSE, TRUE, Value
from pnyx.prng import Prng

Step = tuple[object, ...]


def history_of(model: str, *steps: Step, initial: Value = None) -> History:
    """`(process, function, *arguments)` calls, `(process, "->", value)` returns, "?" unknown."""
    history = History(model, initial)
    for process, word, *rest in steps:
        assert isinstance(process, int)
        if word == "->":
            number = history.open_of(process)
            assert number is not None
            history.returned(number, "ok", *rest)  # type: ignore[arg-type]
        elif word in {"?", "fail"}:
            number = history.open_of(process)
            assert number is not None
            history.returned(number, "info" if word == "?" else "fail", *rest)  # type: ignore[arg-type]
        else:
            history.call(process, str(word), "k", rest)  # type: ignore[arg-type]
    return history


def done(process: int, function: str, *rest: object) -> tuple[Step, Step]:
    if function in {"read", "get"}:
        return (process, function), (process, "->", *rest)
    return (process, function, *rest), (process, "->")


GOOD = {
    "a read beside a write sees either": history_of(
        "register", (1, "write", 1), (2, "read"), (2, "->", None), (2, "read"), (2, "->", 1),
        (1, "->"),
    ),
    "an unknown write takes effect late": history_of(
        "register", (1, "write", 1), (1, "?"), *done(2, "write", 2), *done(2, "read", 2),
        *done(2, "read", 1),
    ),
    "an unknown write never takes effect": history_of(
        "register", (1, "write", 1), (1, "?"), *done(2, "write", 2), *done(2, "read", 2),
    ),
    "a failed write has no effect": history_of(
        "register", (1, "write", 1), (1, "fail"), *done(2, "read", None),
    ),
    "nil can be written": history_of(
        "register", *done(1, "write", None), *done(2, "read", None), initial=4,
    ),
    "a cas is refused while the value differs": history_of(
        "cas-register", *done(1, "write", 1), (2, "cas", 2, 3), (2, "->", FALSE),
        (2, "cas", 1, 3), (2, "->", TRUE), *done(1, "read", 3),
    ),
    "an unread write can hide a value from a cas": history_of(
        "cas-register", *done(1, "write", 1), (1, "write", 9), (2, "cas", 1, 5), (2, "->", FALSE),
        (1, "->"),
    ),
    "appends in either order": history_of(
        "kv-append", (1, "append", "a"), (2, "append", "b"), (1, "->"), (2, "->"),
        *done(3, "get", "ba"),
    ),
    "an append told the length that it made": history_of(
        "kv-append", (1, "append", "a"), (2, "append", "bb"), (1, "->", 3), (2, "->", 2),
    ),
    "the same text twice, appended twice": history_of(
        "kv-append", *done(1, "append", "a"), *done(2, "append", "a"), *done(3, "get", "aa"),
    ),
    "versions count puts": history_of(
        "kv-versions", (1, "put", "x", 0), (1, "->", "OK"), (2, "get"), (2, "->", ("x", 1)),
        (2, "put", "y", 0), (2, "->", "ErrVersion"), (1, "put", "z", 1), (1, "->", "ErrMaybe"),
        (2, "get"), (2, "->", ("z", 2)),
    ),
    "no key yet": history_of(
        "kv-versions", (1, "get"), (1, "->", "ErrNoKey"), (1, "put", "x", 3),
        (1, "fail", "ErrNoKey"),
    ),
}  # fmt: skip

BAD = {
    "a stale read": (
        history_of("register", *done(1, "write", 1), *done(1, "write", 2), *done(2, "read", 1)),
        'read #2 of client 2 returned 1, but write #1 of client 1, which wrote 2, had completed '
        "before it was called, and nobody wrote 1 again",
    ),
    "a value goes back between two reads": (
        history_of("register", (1, "write", 1), *done(2, "read", 1), *done(2, "read", None)),
        "read #2 of client 2 returned nil, but read #1 of client 2 had seen 1 before it was called",
    ),
    "a value from nowhere": (
        history_of("register", *done(1, "write", 1), *done(2, "read", 7)),
        "read #1 of client 2 returned 7, which nobody ever wrote",
    ),
    "a value from the future": (
        history_of("register", *done(2, "read", 7), *done(1, "write", 7)),
        "not written before write #1 of client 1, called after that reply",
    ),
    "a failed write is read": (
        history_of("register", (1, "write", 1), (1, "fail"), *done(2, "read", 1)),
        "write #0 of client 1 asked to write, and that failed",
    ),
    "one value replaced twice": (
        history_of(
            "cas-register", (1, "cas", 0, 1), (2, "cas", 0, 2), (1, "->"), (2, "->"), initial=0
        ),
        "each replaced 0, which was there once at most",
    ),
    "a refusal of what was there": (
        history_of("cas-register", *done(1, "write", 1), (2, "cas", 1, 2), (2, "->", FALSE)),
        "cas #1 of client 2 must come, which was told that the value is not 1",
    ),
    "a lost append": (
        history_of(
            "kv-append", *done(1, "append", "a"), *done(1, "append", "b"), *done(2, "get", "a")
        ),
        'it lacks "b", but append #1 of client 1, which appended that, had completed before',
    ),
    "a doubled append": (
        history_of("kv-append", *done(1, "append", "a1"), *done(2, "get", "a1a1")),
        'it has "a1" twice, once more than asked',
    ),
    "appends out of order": (
        history_of(
            "kv-append", *done(1, "append", "a"), *done(1, "append", "b"), *done(2, "get", "ba")
        ),
        '"a" stands after "b", but append #0',
    ),
    "two gets that disagree": (
        history_of(
            "kv-append", (1, "append", "a"), (2, "append", "b"), (3, "get"), (4, "get"),
            (3, "->", "ab"), (4, "->", "ba"),
        ),
        "neither is how the other begins",
    ),
    "a length that nobody can have made": (
        history_of("kv-append", *done(1, "append", "a"), (2, "append", "bb"), (2, "->", 2)),
        "append #1 of client 2 must come, which returned the length 2",
    ),
    "an overwritten value comes back": (
        history_of("kv-append", *done(1, "put", "a"), *done(1, "put", "b"), *done(2, "get", "a")),
        'put #1 of client 1, which wrote "b", had completed before it was called',
    ),
    "a version goes back": (
        history_of(
            "kv-versions", *done(1, "put", "x", 0), *done(1, "put", "y", 1),
            *done(2, "get", ("x", 1)),
        ),
        "had shown version 2 before it was called, and versions only grow",
    ),
    "a version told wrong": (
        history_of("kv-versions", *done(1, "put", "x", 0), *done(2, "get", ("x", 2))),
        "a value and version that no put could have made",
    ),
    "one version replaced twice": (
        history_of(
            "kv-versions", (1, "put", "x", 0), (2, "put", "y", 0), (1, "->", "OK"), (2, "->", "OK")
        ),
        "both replaced version 0, which was there once",
    ),
    "no key after there was one": (
        history_of("kv-versions", *done(1, "put", "x", 0), (2, "get"), (2, "->", "ErrNoKey")),
        "found no such key, but put #0 of client 1 had shown version 1",
    ),
    "an error for the version that was there": (
        history_of("kv-versions", (1, "put", "x", 0), (1, "->", "ErrVersion")),
        "was told \"ErrVersion\"",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_an_order_explains_is_linearizable(name: str) -> None:
    verdict = judge(GOOD[name])
    assert verdict.word == "linearizable"
    assert is_linearizable(GOOD[name])
    points = verdict.points()
    for one in GOOD[name].operations():
        if one.number in points and one.returned is not None:
            assert one.called < points[one.number] < one.returned


@pytest.mark.parametrize("name", BAD)
def test_what_no_order_explains_is_refuted_with_a_sentence_why(name: str) -> None:
    history, sentence = BAD[name]
    verdict = judge(history)
    assert verdict.word == "not linearizable"
    assert not is_linearizable(history)
    assert sentence in refute(history, verdict).reason.sentence


def test_keys_are_judged_apart() -> None:
    history = History("register")
    for key in ("a", "b"):
        history.returned(history.call(1, "write", key, (key,)), "ok")
    history.returned(history.call(1, "read", "a"), "ok", "a")
    assert judge(history).word == "linearizable"
    history.returned(history.call(1, "read", "b"), "ok", "a")
    verdict = judge(history)
    assert verdict.word == "not linearizable"
    assert refute(history, verdict).key == "b"


def test_the_smallest_part_leaves_out_what_is_no_cause() -> None:
    noise = [step for n in range(40) for step in done(5, "write", 100 + n)]
    more = [step for n in range(40) for step in done(6, "write", 200 + n)]
    stale = [*done(1, "write", 1), *done(1, "write", 2), *done(2, "read", 1)]
    history = history_of("register", *noise, *stale, *more)
    refutation = refute(history, judge(history))
    assert [one.number for one in refutation.operations] == [40, 41, 42]
    assert refutation.is_smallest


def test_a_part_that_is_left_fails_alone() -> None:
    history = spoilt(made(Shape(400, 8, 3, 10), seed=11), seed=3)
    verdict = judge(history)
    refutation = refute(history, verdict)
    alone = History(history.model)
    for one in refutation.operations:
        if alone.open_of(one.process) is not None:
            alone.returned(alone.open_of(one.process) or 0, "info")
        number = alone.call(one.process, one.function, one.key, one.arguments)
        if one.returned is not None:
            alone.returned(number, one.outcome, one.value)
    assert verdict.word == judge(alone).word == "not linearizable"
    assert 1 < len(refutation.operations) < 100


def test_a_spent_budget_is_undecided_and_never_a_verdict() -> None:
    history = made(Shape(300, 20, 1, 0, ("read", "write", "cas"), 500, "cas-register", 3), seed=2)
    assert judge(history).word == "linearizable"
    assert judge(history, Budget(steps_max=100)).word == "undecided"
    assert judge(history, Budget(bytes_max=1000)).word == "undecided"


def test_whoever_has_a_clock_can_stop_the_search() -> None:
    history = made(Shape(2000, 50, 1), seed=2)
    assert judge(history, Budget(stop=lambda: True)).word == "undecided"


SHAPES = [
    Shape(7, 4, 1, 0, ("get", "append", "get", "put"), 20),
    Shape(7, 4, 1, 30, ("get", "append", "get", "put"), 20),
    Shape(7, 4, 1, 30, ("get", "append", "get", "put"), 20, values=2),
    Shape(7, 4, 1, 40, ("append", "append", "get", "put"), 20, lengths=True),
    Shape(7, 4, 1, 40, ("append", "append", "append", "put"), 20, values=2, lengths=True),
    Shape(7, 4, 1, 30, ("read", "write"), 20, "register", 3),
    Shape(7, 4, 1, 30, ("read", "write", "cas", "cas"), 20, "cas-register", 2),
    Shape(6, 3, 1, 30, ("get", "put", "put"), 20, "kv-versions", 2),
]
REPLIES: dict[str, list[Value]] = {
    "kv-append": ["", "a", "ab", "aba", "x 0 0 y", "x 1 0 yx 0 0 y", "x 0 0 yx 1 0 y"],
    "register": [None, 0, 1, 2],
    "cas-register": [None, 0, 1, 2],
    "kv-versions": ["ErrNoKey", (0, 1), (1, 1), (0, 2), (1, 2), (1, 3)],
}
LENGTHS: list[Value] = [1, 2, 3, 4, 7, 14, 21]
PUT_REPLIES: list[Value] = ["OK", "ErrVersion", "ErrNoKey", "ErrMaybe"]


@given(st.sampled_from(SHAPES), st.integers(0, 2**32))
@settings(max_examples=150)
def test_a_real_execution_is_always_linearizable(shape: Shape, seed: int) -> None:
    assert judge(made(shape, seed)).word == "linearizable"


@given(st.sampled_from(SHAPES), st.integers(0, 2**32))
@settings(max_examples=250)
def test_after_a_random_change_the_judge_agrees_with_trying_every_order(
    shape: Shape, seed: int
) -> None:
    history = made(shape, seed)
    prng = Prng(seed)
    for _ in range(2):
        answered = [one for one in history.operations() if one.outcome == "ok"]
        if not answered:
            return
        one = answered[prng.below(len(answered))]
        choices = REPLIES[shape.model]
        match one.function:
            case "cas":
                choices = [None, FALSE]
            case "put" if shape.model == "kv-versions":
                choices = PUT_REPLIES
            case "append" if shape.lengths:
                choices = LENGTHS
            case "put" | "write" | "append":
                continue
            case _:
                pass
        history = changed(history, one.number, choices[prng.below(len(choices))])
    word = judge(history).word
    assert (word == "linearizable") == is_linearizable(history)
    if word == "not linearizable":
        refutation = refute(history, judge(history))
        assert refutation.operations
        assert refutation.reason.sentence


BIG = {
    "ten keys": Shape(2024, 50, 10, 0),
    "ten keys, some unknown": Shape(2024, 50, 10, 10),
    "one key": Shape(2024, 50, 1, 0),
    "one key, some unknown": Shape(2024, 50, 1, 10),
    "one key, few puts": Shape(2024, 50, 1, 10, ("get", "append") * 10 + ("put",)),
    "one key, appends only": Shape(2024, 50, 1, 10, ("get", "append", "append")),
    "lengths told, many unknown": Shape(2000, 15, 15, 25, ("get", "append"), lengths=True),
    "one register": Shape(2000, 50, 1, 10, ("read", "write"), model="register"),
    "one small register": Shape(
        2000, 10, 1, 5, ("read", "write", "cas"), model="cas-register", values=5
    ),
}
STEPS_ENOUGH = 400_000
"""A step takes some microseconds: seconds, where 60 are allowed."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BIG)
def test_two_thousand_operations_of_fifty_clients_are_decided(name: str) -> None:
    verdict = judge(made(BIG[name], seed=7), Budget(steps_max=STEPS_ENOUGH))
    assert verdict.word == "linearizable"
    assert verdict.bytes < 100_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["ten keys, some unknown", "one key, few puts", "one key, appends only"]
)
def test_one_lost_append_among_two_thousand_is_found(name: str) -> None:
    history = spoilt(made(BIG[name], seed=7), seed=3)
    verdict = judge(history, Budget(steps_max=STEPS_ENOUGH))
    assert verdict.word == "not linearizable"
