"""One run: safety, then liveness. Plan in, outcome out; the same plan gives the same outcome.

In the safety phase anything goes. Then a core is healed and whatever else is broken stays so: the
core must elect within 20 election timeouts, answer every open request, and agree on one state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pnyx.lab import faults as acts
from pnyx.lab.process import Process
from pnyx.lab.swarm import Plan
from pnyx.lab.watch import Violation, Watch
from pnyx.lab.workload import PATIENCE_US, Clients
from pnyx.lab.world import World, broken_assertion
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Done

ELECTIONS_MAX: Final = 20
"""Election timeouts that a healed core may take to have a leader."""
SETTLE_US: Final = 25_000_000
"""What it may then take to answer everybody and to agree: a snapshot's patience and some."""
STEP_US: Final = 50_000
READS_MAX: Final = 0.5
"""Share of reads among what clients ask a healed core at first."""
ATTEMPT_US: Final = 1_000_000
"""How long a client with a session waits for a healed core's answer before it asks another node."""


@dataclass(slots=True)
class Outcome:
    """What became of a run."""

    plan: Plan
    violation: Violation | None
    events: int
    hash: str
    requests: int
    done: int
    simulated_us: int
    clients: Clients
    world: World


def run(
    plan: Plan,
    watches: Sequence[Watch] = (),
    *,
    prepare: Callable[[World], None] | None = None,
) -> Outcome:
    """Carry out `plan`; `watches` judge it, `prepare` may look at the world before it begins."""
    clients = Clients(plan.workload)
    clients.kept = plan.kept
    world = World(plan.seed, plan.world, [*watches, clients])
    if prepare is not None:
        prepare(world)
    try:
        _carry_out(plan, world, clients)
        for watch in watches:
            watch.finish(world.processes.values())
    except Violation as violation:
        world.violation = violation
    except AssertionError as error:
        world.violation = broken_assertion(error)
    timeline = world.timeline
    done = sum(ticket.answered_us is not None for ticket in clients.tickets)
    return Outcome(
        plan,
        world.violation,
        timeline.happened,
        timeline.hash,
        len(clients.tickets),
        done,
        timeline.now_us,
        clients,
        world,
    )


def _carry_out(plan: Plan, world: World, clients: Clients) -> None:
    world.start()
    acts.plan(world, plan.faults)
    clients.start(world)
    world.timeline.run(plan.safety_us)
    if plan.core:
        _prove_liveness(plan, world, clients)


def _prove_liveness(plan: Plan, world: World, clients: Clients) -> None:
    acts.mend_all(world, plan.core)
    healed_us = world.now_us
    clients.aim(plan.core)
    core = [world.processes[number] for number in plan.core]
    election_us = plan.world.raft.election_ms_max * 1_000
    _await(
        world,
        lambda: _led(core),
        ELECTIONS_MAX * election_us,
        "leader_elected",
        f"the healed nodes elected nobody within {ELECTIONS_MAX} election timeouts",
    )
    # A leader that takes no writes is as bad as none, and neither reads alone would show it, nor
    # clients who give up, or ask elsewhere, before an answer can be there.
    clients.settings = replace(
        clients.settings,
        reads=min(clients.settings.reads, READS_MAX),
        readers=0,
        patience_us=PATIENCE_US,
        attempt_us=max(clients.settings.attempt_us, ATTEMPT_US),
    )
    _await(
        world,
        lambda: _serves(clients, healed_us),
        SETTLE_US,
        "core_serves",
        "the healed nodes have a leader, but no write that was asked since was done",
    )
    clients.stop()
    _await(
        world,
        lambda: _is_settled(core),
        SETTLE_US,
        "change_finishes",
        "the membership is still joint, or its leader is no voter of it",
    )
    _await(
        world,
        lambda: not clients.open,
        SETTLE_US,
        "requests_answered",
        "requests are still open although their nodes were healed",
    )
    _await(
        world,
        lambda: _agree(core),
        SETTLE_US,
        "nodes_converge",
        "the healed nodes did not come to the same applied index",
    )


def _await(
    world: World, reached: Callable[[], bool], within_us: int, name: str, sentence: str
) -> None:
    deadline_us = world.now_us + within_us
    while not reached():
        if world.now_us >= deadline_us:
            raise Violation(name, sentence)
        world.timeline.run(world.now_us + STEP_US)


def _taking_part(core: Sequence[Process]) -> list[Replica]:
    """Return the replicas of those of `core` that the newest leader's membership names."""
    leaders = [
        process.replica for process in core if process.replica is not None and process.replica.leads
    ]
    newest = max(leaders, key=lambda replica: replica.consensus.term, default=None)
    named = None if newest is None else newest.consensus.membership
    return [
        process.replica
        for process in core
        if process.replica is not None and (named is None or named.has(process.node))
    ]


def _led(core: Sequence[Process]) -> bool:
    leaders = {replica.consensus.leader for replica in _taking_part(core)}
    return len(leaders) == 1 and None not in leaders


def _is_settled(core: Sequence[Process]) -> bool:
    memberships = {
        (replica.consensus.membership, replica.consensus.leader) for replica in _taking_part(core)
    }
    return len(memberships) == 1 and all(
        leader in membership.voters and not membership.outgoing
        for membership, leader in memberships
    )


def _serves(clients: Clients, since_us: int) -> bool:
    for ticket in reversed(clients.tickets):
        if ticket.called_us < since_us:
            return False
        if isinstance(ticket.answer, Done) and any(each.writes for each in ticket.commands):
            return True
    return False


def _agree(core: Sequence[Process]) -> bool:
    replicas = _taking_part(core)
    if any(process.replica is None for process in core):
        return False
    if any(not replica.idle or replica.parked_count for replica in replicas):
        return False
    states = {
        (replica.group.applied.index, replica.consensus.last_index, replica.consensus.commit_index)
        for replica in replicas
    }
    return len(states) == 1
