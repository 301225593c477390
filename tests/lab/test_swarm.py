"""What a run of the swarm is made of."""

from pnyx.lab.swarm import draw


def test_no_fault_begins_once_the_phase_of_safety_is_over() -> None:
    # A second blow once cut a leader off after everything was healed: seed 79.
    for plan in map(draw, (*range(40), 79)):
        assert all(fault.at_us < plan.safety_us for fault in plan.faults), plan.seed
