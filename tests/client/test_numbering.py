"""Does each write of a session get a number of its own, and is no open one acknowledged?"""

from hypothesis import given, strategies as st

from pnyx.transport.numbering import PATIENCE_MS, Number, Numbering

SESSION = b"0" * 32


def numbering(window: int = 16) -> Numbering:
    return Numbering(SESSION, window, 3_600_000, clock_ms=1_000_000, read_ms=500)


def taken(numbers: Numbering, now_ms: int = 500) -> Number:
    number = numbers.take(now_ms, 10_000)
    assert number is not None
    return number


@given(st.lists(st.integers(-1, 15), max_size=200), st.integers(1, 16))
def test_whatever_is_taken_and_settled_the_rules_hold(steps: list[int], window: int) -> None:
    """-1 takes a number, others settle the n-th of those that are out."""
    numbers = numbering(window)
    out: list[int] = []
    seen: set[int] = set()
    acknowledged = 0
    for step in steps:
        if step < 0:
            number = numbers.take(500, 10_000)
            assert (number is None) == (len(seen) == numbers.ack + window)
            if number is not None:
                assert number.sequence not in seen
                assert numbers.ack < number.sequence <= numbers.ack + window
                seen.add(number.sequence)
                out.append(number.sequence)
        elif step < len(out):
            numbers.settle(Number(SESSION, out.pop(step), 0))
        assert acknowledged <= numbers.ack, "what was acknowledged stays so"
        acknowledged = numbers.ack
        assert not [one for one in out if one <= numbers.ack], "what is out is not acknowledged"
        assert numbers.ack == (min(out) - 1 if out else len(seen)), "and what is not out is"


def test_a_full_window_opens_when_its_first_number_is_settled() -> None:
    numbers = numbering(2)
    first, second = taken(numbers), taken(numbers)
    assert numbers.take(500, 10_000) is None
    numbers.settle(second)
    assert numbers.take(500, 10_000) is None
    numbers.settle(first)
    assert taken(numbers).sequence == 3


def test_a_deadline_is_the_nodes_time_plus_what_has_passed_here() -> None:
    numbers = numbering()
    assert taken(numbers, 500).deadline_ms == 1_000_000 + 10_000 + PATIENCE_MS
    assert taken(numbers, 7_500).deadline_ms == 1_007_000 + 10_000 + PATIENCE_MS


def test_a_deadline_keeps_far_from_what_the_nodes_refuse() -> None:
    number = numbering().take(500, 10**9)
    assert number is not None
    assert number.deadline_ms == 1_000_000 + 3_600_000 // 2
