"""When chunks that nothing names may go: never at the first look, never within the hour."""

from hypothesis import given, strategies as st

from pnyx.client.files.orphans import APART_MS, REMEMBERED_MAX, due

IDS = st.sets(st.binary(min_size=1, max_size=2), max_size=6)


@given(IDS, st.integers(0, 10 * APART_MS))
def test_nothing_goes_at_the_first_look(unnamed: set[bytes], now_ms: int) -> None:
    going, waiting = due(unnamed, {}, now_ms)
    assert going == []
    assert waiting == dict.fromkeys(sorted(unnamed), now_ms)


@given(IDS, st.integers(0, 3 * APART_MS))
def test_what_is_still_unnamed_goes_an_hour_after_the_first_look(
    unnamed: set[bytes], later_ms: int
) -> None:
    _, seen = due(unnamed, {}, 1_000)
    going, _ = due(unnamed, seen, 1_000 + later_ms)
    assert going == (sorted(unnamed) if later_ms >= APART_MS else [])


def test_what_was_named_in_between_waits_anew() -> None:
    _, seen = due({b"a"}, {}, 0)
    _, seen = due(set(), seen, APART_MS)
    assert due({b"a"}, seen, 2 * APART_MS) == ([], {b"a": 2 * APART_MS})


def test_so_many_are_remembered_and_no_more() -> None:
    many = {number.to_bytes(4, "big") for number in range(REMEMBERED_MAX + 5)}
    assert len(due(many, {}, 0)[1]) == REMEMBERED_MAX
