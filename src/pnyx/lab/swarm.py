"""What happens in one run of a swarm: a function of its seed, all of it printed.

Each run includes each family of faults with probability 1/2, at rates drawn evenly over decades, so
that some runs are wild and some hurt in one way only: bugs hide where other faults keep the
system from going (swarm testing, Groce et al. 2012). Damage to disks stays within what the
protocol can survive: one minority of nodes a run bears it all.

About one run in five is a *duel*: few families, whose faults last about as long as an election; a
leader that is hit is often hit again within a few trips over a link, nodes and clients soon lose
patience, and some clients only read. Some bugs live there only: after a hand-over was asked for and
before its end, or after a leader was cut off and before it knows.
"""

from dataclasses import dataclass, replace
from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.consensus.member.settings import MemberSettings
from pnyx.lab.chance import Chance
from pnyx.lab.families import Frame, blows_to_links, families, minority, second_blows
from pnyx.lab.faults import Fault, FaultKind
from pnyx.lab.network import Profile
from pnyx.lab.workload import PATIENCE_US, Kept, WorkloadSettings
from pnyx.lab.world import WorldSettings
from pnyx.replica.limits import ReplicaLimits

SIZES: Final = (3, 3, 3, 5, 5, 1, 2, 7)
"""Cluster sizes, the usual ones more often."""
_DUELS: Final = 0.22
"""Share of the runs."""
LATER_FROM_SEED: Final = 1_000
"""Below it nothing is drawn that was thought of later, as batches that wait for clients: the zoo's
pinned seeds mean the runs they meant."""

_RECAST: Final = frozenset({FaultKind.MEMBERS, FaultKind.WIPE})
"""Who counts changes, so a majority of the founders may be no quorum: everybody is healed."""

_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """One run, before it happens."""

    seed: int
    world: WorldSettings
    workload: WorkloadSettings
    faults: tuple[Fault, ...]
    safety_us: int
    """How long the phase lasts in which anything goes."""
    core: tuple[int, ...]
    """Who is healed for the liveness phase; the other faults are frozen. Nobody: there is none."""
    kept: tuple[Kept, ...] | None = None
    """The only requests that are made before the core is healed, after shrinking; None: all."""

    def __str__(self) -> str:
        """Return everything that was drawn."""
        world, load, raft = self.world, self.workload, self.world.raft
        lines = [
            f"seed {self.seed}: {world.consensus}, {world.nodes} nodes, {load.clients} clients, "
            f"{self.safety_us / 1e6:.1f} s, then healed: "
            + (" ".join(f"n{number}" for number in self.core) or "nobody, that is all"),
            f"  clients think {load.think_us / 1e3:.1f} ms, {load.keys} keys, "
            f"{load.reads:.0%} reads, {load.readers} only read, {load.expiring:.0%} about keys "
            f"that expire, values +{load.padding_bytes} B, "
            f"patience {load.patience_us / 1e6:.3f} s; nodes park {world.limits.park_ms} ms, "
            f"outcomes {world.limits.outcome_ms} ms",
            f"  links {world.profile.latency_us} us +{world.profile.jitter_us}, "
            f"sync {world.sync_us} us +{world.sync_jitter_us}, "
            f"heartbeat {raft.heartbeat_ms} ms, election [{raft.election_ms_min}, "
            f"{raft.election_ms_max}) ms, in flight {raft.inflight_max}, "
            f"append {raft.append_entries_max} entries, "
            f"compact above {world.limits.compact_log_bytes} B",
        ]
        if load.life_ms:
            lines.append(
                f"  writes in sessions, sent again after {load.attempt_us / 1e3:.0f} ms, deadlines "
                f"{load.life_ms / 1e3:.1f} s ahead at most"
            )
        lines += [f"  {fault}" for fault in self.faults]
        if self.kept is not None:
            lines.append(f"  only {len(self.kept)} requests are made")
        return "\n".join(lines)


def draw(
    seed: int,
    *,
    safety_us: int | None = None,
    consensus: EngineName = EngineName.RAFT,
) -> Plan:
    """Return the run of `seed`; on all engines it is the same but for what the groups run."""
    chance = Chance(seed)
    nodes = SIZES[chance.below(len(SIZES), "size")]
    if safety_us is None:
        safety_us = int(chance.log_uniform(1_500_000, 9_000_000, "duration"))
    is_duel = chance.hit(_DUELS, "close")
    world = replace(_world(chance, nodes, seed, is_duel=is_duel), consensus=consensus)
    workload = _workload(chance, is_duel=is_duel)
    world, workload = _in_sessions(chance, world, workload, seed, is_duel=is_duel)
    victims = minority(chance, nodes)
    # A voter that is gone for good, and voters that are taken away: each is survived alone.
    spared = {FaultKind.ROT, FaultKind.WIPE}
    if victims and chance.hit(0.5, "disks are lost"):
        # The one rots away, the other is replaced: together they may be more than a minority.
        spared = {FaultKind.MEMBERS, FaultKind.ROT}
        if chance.hit(0.5, "rot"):
            spared = {FaultKind.MEMBERS, FaultKind.WIPE}
    if seed < LATER_FROM_SEED:
        spared.add(FaultKind.MIDSTREAM)
    frame = Frame(nodes, safety_us)
    if is_duel:
        election_us = world.raft.election_ms_max * 1_000
        frame = Frame(nodes, safety_us, 0.15, (0.3 * election_us, 3.0 * election_us))
    faults = families(chance, frame, spared)
    if is_duel and nodes > 1:
        first = tuple(faults)
        faults += second_blows(chance, frame, first, world.profile.latency_us)
        if seed >= LATER_FROM_SEED:
            faults += blows_to_links(chance, frame, first, world)
    faults.sort(key=lambda fault: (fault.at_us, fault.kind))
    kinds = {fault.kind for fault in faults}
    away: tuple[int, ...] = ()
    if FaultKind.ROT in kinds:
        away = victims
    elif nodes > 2 and not kinds & _RECAST and chance.hit(0.3, "core"):
        away = minority(chance, nodes)
    core = tuple(number for number in range(1, nodes + 1) if number not in away)
    return Plan(seed, world, workload, tuple(faults), safety_us, core)


def _workload(chance: Chance, *, is_duel: bool) -> WorkloadSettings:
    clients = 1 + chance.below(8, "clients")
    keys = 1 + chance.below(5, "keys")
    readers, patience_us, expiring = 0, PATIENCE_US, 0.0
    if not is_duel:
        expiring = 0.5 * chance.share("expiring") if chance.hit(0.3, "passing") else 0.0
    else:
        readers = min(1 + chance.below(clients, "readers"), clients - 1)
        if chance.hit(0.3, "many keys"):
            # A state of many small rows: snapshots of many chunks.
            keys = int(chance.log_uniform(10, 300, "many"))
        if chance.hit(0.5, "impatient"):
            patience_us = int(chance.log_uniform(30_000, PATIENCE_US, "patience"))
    return WorkloadSettings(
        clients=clients,
        think_us=int(chance.log_uniform(2_000, 100_000, "think")),
        keys=keys,
        # Who writes is held up by a leader that is cut off; who only reads would notice nothing.
        reads=chance.share("reads") ** (0.1 if chance.hit(0.3, "mostly reads") else 1.0),
        readers=readers,
        appends=chance.share("appends"),
        batches=0.3 * chance.share("batches"),
        pipeline=2 + chance.below(6, "pipeline") if chance.hit(0.3, "pipelined") else 1,
        padding_bytes=int(chance.log_uniform(1, 16_000, "padding")) - 1,
        patience_us=patience_us,
        expiring=expiring,
    )


def _in_sessions(
    chance: Chance, world: WorldSettings, load: WorkloadSettings, seed: int, *, is_duel: bool
) -> tuple[WorldSettings, WorkloadSettings]:
    """Return both, in one run of three with writes that are sent again in sessions.

    Nodes then refuse in time what they cannot do: who was refused only can say: not applied.
    """
    if seed < LATER_FROM_SEED or is_duel or not chance.hit(0.35, "sessions"):
        return world, load
    park_ms = int(chance.log_uniform(50, world.limits.park_ms, "session park"))
    world = replace(world, limits=replace(world.limits, park_ms=park_ms))
    patience_us = load.patience_us
    if chance.hit(0.5, "impatient sessions"):
        patience_us = int(chance.log_uniform(100_000, PATIENCE_US, "session patience"))
    return world, replace(
        load,
        life_ms=int(chance.log_uniform(300, 20_000, "life")),
        attempt_us=int(chance.log_uniform(50_000, 2_000_000, "attempt")),
        patience_us=patience_us,
    )


def _world(chance: Chance, nodes: int, seed: int, *, is_duel: bool) -> WorldSettings:
    heartbeat_ms = 10 + chance.below(90, "heartbeat")
    election_ms = heartbeat_ms * (4 + chance.below(6, "election"))
    small = chance.hit(0.5, "small limits")
    raft = MemberSettings(
        heartbeat_ms=heartbeat_ms,
        election_ms_min=election_ms,
        election_ms_max=2 * election_ms,
    )
    if small:
        raft = replace(
            raft,
            inflight_max=1 + chance.below(4, "inflight"),
            append_entries_max=1 + chance.below(4, "append"),
            append_bytes_max=1 + chance.below(8 * _KIB, "append bytes"),
            apply_entries_max=1 + chance.below(3, "apply"),
            reads_max=4 + chance.below(8, "reads max"),
        )
    compact = int(chance.log_uniform(1_000, 200_000, "compact"))
    limits = ReplicaLimits(
        flush_log_bytes=compact // 2,
        compact_log_bytes=compact,
        tail_log_bytes=compact // 4,
        catchup_log_bytes=compact * 8,
        snapshot_chunk_bytes=int(chance.log_uniform(50, 100_000, "chunk")),
        replace_silent_ms=1_000 + chance.below(4_000, "replace"),
    )
    if seed >= LATER_FROM_SEED and not is_duel and chance.hit(0.5, "gathering"):
        raft = replace(raft, notice_ms=1 + chance.below(2 * heartbeat_ms, "notice"))
        limits = replace(limits, gather_ms=1 + chance.below(2 * heartbeat_ms, "gather"))
    if seed >= LATER_FROM_SEED and chance.hit(0.5, "thrift"):
        hedge_ms = 1 + chance.below(2 * heartbeat_ms, "hedge")
        thrift_ms = 1 + chance.below(4 * heartbeat_ms, "thrift ms")
        thrift_bytes = 1 + chance.below(16 * _KIB, "thrift bytes")
        raft = replace(raft, thrift_ms=thrift_ms, thrift_bytes=thrift_bytes, hedge_ms=hedge_ms)
    if is_duel and chance.hit(0.5, "short waits"):
        limits = replace(
            limits,
            park_ms=int(chance.log_uniform(100, limits.park_ms, "park")),
            outcome_ms=int(chance.log_uniform(500, limits.outcome_ms, "outcome")),
        )
    sync_us = int(chance.log_uniform(50, 20_000, "sync"))
    # Long ways keep much under way: what a fault then hits is torn between its ends.
    latency_us = int(chance.log_uniform(50, 250 * heartbeat_ms, "latency"))
    jitter_us = int(latency_us * chance.share("jitter"))
    return WorldSettings(
        nodes,
        profile=Profile(latency_us=latency_us, jitter_us=jitter_us),
        raft=raft,
        limits=limits,
        sync_us=sync_us,
        sync_jitter_us=sync_us,
    )
