"""What a run of the swarm is made of."""

from pnyx.lab.judge import watched
from pnyx.lab.swarm import draw


def test_no_fault_begins_once_the_phase_of_safety_is_over() -> None:
    # A second blow once cut a leader off after everything was healed: seed 79.
    for plan in map(draw, (*range(40), 79)):
        assert all(fault.at_us < plan.safety_us for fault in plan.faults), plan.seed


def test_clients_that_give_up_at_once_do_not_make_a_healed_core_look_dead() -> None:
    # They waited 30 ms, over links that take more for a write and its answer.
    assert watched(draw(5014)).violation is None
