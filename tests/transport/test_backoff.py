"""Back-off grows, is jittered, stays within its bounds, and starts again after a success."""

from hypothesis import given, strategies as st

from pnyx.prng import Prng
from pnyx.transport.backoff import BACKOFF_MS_MAX, BACKOFF_MS_MIN, QUICK_MS_MAX, Backoff


@given(st.integers(0, 2**63))
def test_waits_double_up_to_the_maximum(seed: int) -> None:
    backoff = Backoff(Prng(seed))
    waits = [backoff.wait_ms() for _ in range(12)]
    spans = [min(BACKOFF_MS_MIN * 2**i, BACKOFF_MS_MAX) for i in range(12)]
    assert all(span / 2 <= wait <= span for wait, span in zip(waits, spans, strict=True))


def test_two_nodes_do_not_wait_in_step() -> None:
    one, two = Backoff(Prng(1)), Backoff(Prng(2))
    assert [one.wait_ms() for _ in range(8)] != [two.wait_ms() for _ in range(8)]


def test_a_success_starts_small_again() -> None:
    backoff = Backoff(Prng(1))
    for _ in range(8):
        backoff.wait_ms()
    backoff.reset()
    assert backoff.wait_ms() <= BACKOFF_MS_MIN


def test_a_machine_that_answers_is_asked_again_soon() -> None:
    backoff = Backoff(Prng(1))
    assert max(backoff.wait_ms(quick=True) for _ in range(20)) <= QUICK_MS_MAX
