"""What a run of the swarm is made of."""

from pnyx.lab import faults
from pnyx.lab.faults import Fault, FaultKind
from pnyx.lab.judge import watched
from pnyx.lab.swarm import draw
from pnyx.lab.world import World


def test_no_fault_begins_once_the_phase_of_safety_is_over() -> None:
    # A second blow once cut a leader off after everything was healed: seed 79.
    for plan in map(draw, (*range(40), 79)):
        assert all(fault.at_us < plan.safety_us for fault in plan.faults), plan.seed


def test_clients_that_give_up_at_once_do_not_make_a_healed_core_look_dead() -> None:
    # They waited 30 ms, over links that take more for a write and its answer.
    assert watched(draw(5014)).violation is None


def test_a_swizzle_that_is_under_way_hurts_nobody_once_its_nodes_are_healed() -> None:
    # Found by seed 4049: half of its clogs came after the healing, and nobody stayed elected.
    world = World(1)
    world.start()
    everybody = tuple(world.processes)
    faults.plan(world, [Fault(FaultKind.SWIZZLE, 1_000_000, 12_000_000, everybody)])
    world.run(1_500_000)
    faults.mend_all(world, everybody)
    world.run(4_000_000)
    term = _newest_term(world)
    world.run(14_000_000)
    assert world.leader() is not None
    assert _newest_term(world) == term


def test_a_slow_sync_that_is_under_way_hurts_nobody_once_its_disk_is_healed() -> None:
    # Found by seed 24085 on Multi-Paxos: a sync of eight seconds went on, and nobody was elected.
    world = World(1)
    world.start()
    everybody = tuple(world.processes)
    faults.plan(world, [Fault(FaultKind.SLOW_DISK, 1_000_000, 12_000_000, everybody, 100_000)])
    world.run(1_100_000)
    leader = world.leader()
    assert leader is not None
    world.crash(leader.number)
    world.run(3_000_000)
    assert world.leader() is None, "votes are on their way to disks that take half a minute"
    faults.mend_all(world, [number for number in everybody if number != leader.number])
    world.run(5_000_000)
    assert world.leader() is not None


def _newest_term(world: World) -> int:
    return max(process.replica.consensus.term for process in world.running() if process.replica)
