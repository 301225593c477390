"""Who waits too long, and who does not: what the judge of patience once got wrong."""

from pnyx.lab.judge import watched
from pnyx.lab.swarm import draw


def test_time_in_which_a_node_stood_still_is_not_held_against_it() -> None:
    # A read came just before a pause that was longer than all limits together.
    assert watched(draw(4546)).violation is None


def test_a_read_may_wait_for_the_barrier_before_its_own() -> None:
    # Elections take longer there than the outcome of a write may.
    assert watched(draw(1173)).violation is None
