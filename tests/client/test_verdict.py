"""Is what a client says of an unanswered write ever wrong, whatever its attempts came to?"""

from hypothesis import given, strategies as st

from pnyx.transport.verdict import Heard, Trail

heard = st.lists(st.sampled_from(Heard), max_size=12)


@given(heard, st.booleans())
def test_not_applied_is_said_only_if_no_attempt_could_have_been_done(
    attempts: list[Heard], in_session: bool
) -> None:
    trail = Trail(changes=True, in_session=in_session)
    could_be_done = False
    for attempt in attempts:
        if not trail.may_repeat:
            break
        trail.heard(attempt)
        could_be_done |= attempt is Heard.DOUBT
    assert trail.outcome == ("unknown" if could_be_done else "not_applied")


@given(heard)
def test_outside_a_session_at_most_one_attempt_could_have_been_done(attempts: list[Heard]) -> None:
    trail = Trail(changes=True, in_session=False)
    doubts = 0
    for attempt in attempts:
        if not trail.may_repeat:
            break
        trail.heard(attempt)
        doubts += attempt is Heard.DOUBT
    assert doubts <= 1


@given(heard)
def test_a_read_may_always_be_repeated_and_leaves_nothing_behind(attempts: list[Heard]) -> None:
    trail = Trail(changes=False, in_session=False)
    for attempt in attempts:
        assert trail.may_repeat
        trail.heard(attempt)
    assert trail.outcome == "not_applied"
