"""Which runs of the swarm can show a bug that most of them cannot: its hunt makes those only.

The runs are the general swarm's own, seed by seed; a bias leaves seeds out and changes nothing.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from pnyx.lab.faults import LEADER, Fault, FaultKind
from pnyx.lab.swarm import Plan


class Bias(NamedTuple):
    """What a run must have."""

    what: str
    """In words, after "runs with"."""
    fits: Callable[[Plan], bool]


_FAULTS_MAX: Final = 30
"""Where more goes wrong, nobody writes while another one reads what is outdated."""
_CLOGS_MIN: Final = 3
_CUTS: Final = frozenset({FaultKind.ISOLATE, FaultKind.PARTITION, FaultKind.CLOG})


def _is_read_beside_writes(plan: Plan) -> bool:
    load = plan.workload
    writers = load.clients - load.readers
    is_even = load.readers > 0 and writers > 0 and load.reads < 0.8
    return is_even and plan.world.nodes > 2 and len(plan.faults) < _FAULTS_MAX


def _election_us(plan: Plan) -> int:
    return plan.world.raft.election_ms_max * 1_000


def _clogs(plan: Plan) -> bool:
    election_us = _election_us(plan)
    short = [
        fault
        for fault in plan.faults
        if fault.kind is FaultKind.CLOG and fault.lasts_us < election_us
    ]
    return _is_read_beside_writes(plan) and len(short) >= _CLOGS_MIN


def _clocks_behind_cuts(plan: Plan) -> bool:
    election_us = _election_us(plan)
    return _is_read_beside_writes(plan) and any(
        _is_set_behind(cut, clock, election_us) for cut in plan.faults for clock in plan.faults
    )


def _is_set_behind(cut: Fault, clock: Fault, election_us: int) -> bool:
    both = LEADER in cut.nodes and LEADER in clock.nodes
    goes_back = clock.kind is FaultKind.JUMP and clock.amount < -election_us
    errs = clock.kind is FaultKind.NOISE and clock.amount > election_us
    is_within = cut.at_us < clock.at_us < cut.at_us + election_us // 2
    is_long = cut.kind in _CUTS and cut.lasts_us > 0.9 * election_us
    return both and (goes_back or errs) and is_within and is_long


def _unheard_successors(plan: Plan) -> bool:
    return _is_read_beside_writes(plan) and any(
        fault.kind is FaultKind.ONE_WAY and fault.nodes[1] == LEADER for fault in plan.faults
    )


UNHEARD_SUCCESSORS: Final = Bias(
    "clients that only read beside some that write, and a leader that hands over and does not hear "
    "its successor",
    _unheard_successors,
)
CLOGGED_READS: Final = Bias(
    "clients that only read beside some that write, and links that clog for less than an election, "
    "three times",
    _clogs,
)
CLOCKS_BEHIND_CUTS: Final = Bias(
    "clients that only read beside some that write, and a leader whose clock is set or errs soon "
    "after it was cut off",
    _clocks_behind_cuts,
)
