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

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

from pnyx.consensus.engines import EngineName
from pnyx.consensus.member.settings import MemberSettings
from pnyx.lab.chance import Chance
from pnyx.lab.faults import LEADER, Fault, FaultKind
from pnyx.lab.network import Profile
from pnyx.lab.workload import PATIENCE_US, Kept, WorkloadSettings
from pnyx.lab.world import WorldSettings
from pnyx.replica.limits import ReplicaLimits

SIZES: Final = (3, 3, 3, 5, 5, 1, 2, 7)
"""Cluster sizes, the usual ones more often."""
_DUELS: Final = 0.22
"""Share of the runs."""
START_US: Final = 500_000
"""Faults begin after this: the cluster has formed."""
LATER_FROM_SEED: Final = 1_000
"""Below it nothing is drawn that was thought of later, as batches that wait for clients: the zoo's
pinned seeds mean the runs they meant."""

_KIB: Final = 1024

_NETWORK: Final = frozenset(
    {
        FaultKind.ISOLATE,
        FaultKind.PARTITION,
        FaultKind.ONE_WAY,
        FaultKind.BRIDGE,
        FaultKind.RING,
        FaultKind.CLOG,
        FaultKind.SWIZZLE,
        FaultKind.LOSSY,
        FaultKind.SLOW_LINKS,
        FaultKind.TRANSFER,
        FaultKind.MEMBERS,
        FaultKind.BURST,
        FaultKind.MIDSTREAM,
    }
)
"""Pointless in a cluster of one."""


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
    victims = _minority(chance, nodes)
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
        faults += _second_blows(chance, frame, first, world.profile.latency_us)
        if seed >= LATER_FROM_SEED:
            faults += _blows_to_links(chance, frame, first, world)
    faults.sort(key=lambda fault: (fault.at_us, fault.kind))
    kinds = {fault.kind for fault in faults}
    away: tuple[int, ...] = ()
    if FaultKind.ROT in kinds:
        away = victims
    elif nodes > 2 and not kinds & _RECAST and chance.hit(0.3, "core"):
        away = _minority(chance, nodes)
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


def _minority(chance: Chance, nodes: int) -> tuple[int, ...]:
    count = (nodes - 1) // 2
    order = sorted(range(1, nodes + 1), key=lambda number: chance.draw("minority", number))
    return tuple(sorted(order[:count]))


_SHARED: Final = frozenset(
    {
        FaultKind.POWER_ALL,
        FaultKind.RING,
        FaultKind.LOSSY,
        FaultKind.SLOW_LINKS,
        FaultKind.MEMBERS,
        FaultKind.BURST,
        FaultKind.MIDSTREAM,
    }
)
"""Of no node in particular."""
_WHOLE_DISK: Final = frozenset(
    {FaultKind.BAD_DISK, FaultKind.FULL_DISK, FaultKind.ROT, FaultKind.WIPE}
)
"""Only a minority of the disks: a cluster with fewer good ones than a majority cannot go on."""


_RECAST: Final = frozenset({FaultKind.MEMBERS, FaultKind.WIPE})
"""Who counts changes, so a majority of the founders may be no quorum: everybody is healed."""
_AT_LEADER: Final = frozenset(
    {
        FaultKind.KILL,
        FaultKind.POWER,
        FaultKind.TORN,
        FaultKind.PAUSE,
        FaultKind.ISOLATE,
        FaultKind.PARTITION,
        FaultKind.ONE_WAY,
        FaultKind.CLOG,
        FaultKind.SLOW_DISK,
        FaultKind.HUNG_DISK,
    }
)
"""What hurts most where the leader is."""


_CUTS: Final = frozenset({FaultKind.ISOLATE, FaultKind.PARTITION})
PAIR_US: Final = 5_000
"""So long before a leader is cut off its disk hangs, if both happen to it."""
LOST_CHANGE_US: Final = 2_000_000
"""So long, more or less, a leader is cut off whose change of members is to be lost."""


class Frame(NamedTuple):
    """What all faults of a run are drawn within."""

    nodes: int
    safety_us: int
    rate: float = 0.5
    """Share of the families."""
    lasts_us: tuple[float, float] = (30_000, 3_000_000)
    """Of a family's mean."""


def families(chance: Chance, frame: Frame, spared: Collection[FaultKind]) -> list[Fault]:
    """Return the faults of each family that is drawn and not spared, family by family."""
    faults: list[Fault] = []
    for number, kind in enumerate(FaultKind):
        if kind in spared or (frame.nodes == 1 and kind in _NETWORK):
            continue
        if chance.hit(frame.rate, "family", number):
            faults += _family(chance, kind, number, frame)
    return faults


def _family(chance: Chance, kind: FaultKind, family: int, frame: Frame) -> list[Fault]:
    mean_us = chance.log_uniform(300_000, 6_000_000, "rate", family)
    lasts_mean_us = chance.log_uniform(*frame.lasts_us, "lasts", family)
    at_leader = chance.share("at leaders", family)
    faults: list[Fault] = []
    at_us = float(START_US)
    count = 0
    while True:
        count += 1
        where = (family, count)
        at_us += chance.exponential(mean_us, "at", *where)
        if at_us >= frame.safety_us or count > 60:
            return faults
        chosen = _chosen(chance, kind, where, frame.nodes)
        if chosen is None:
            return faults
        if kind in _AT_LEADER and chance.hit(at_leader, "at leader", *where):
            chosen = (LEADER, *chosen[1:])
        how_long_us = int(chance.exponential(lasts_mean_us, "lasting", *where)) + 1_000
        amount = _AMOUNTS.get(kind, _no_amount)(chance, where)
        faults.append(Fault(kind, int(at_us), how_long_us, chosen, amount))
        if kind in _CUTS and chosen[0] == LEADER and chance.hit(0.25, "paired", *where):
            # Cut off with entries on the way to its disk: they are replaced before they are there.
            hung_us = int(how_long_us * (0.5 + chance.share("pair", *where)))
            faults.append(Fault(FaultKind.HUNG_DISK, int(at_us) - PAIR_US, hung_us, (LEADER,)))
        if kind is FaultKind.MEMBERS and chance.hit(0.25, "doomed", *where):
            # Only a leader hears of the change that was just cut off: it is rolled back.
            cut_us = int(LOST_CHANGE_US * (0.5 + chance.share("pair", *where)))
            faults.append(Fault(FaultKind.ISOLATE, int(at_us) - PAIR_US, cut_us, (LEADER,)))


_FIRST: Final = _AT_LEADER | {FaultKind.TRANSFER, FaultKind.MEMBERS}
_ALONE: Final = _CUTS | {FaultKind.ONE_WAY, FaultKind.CLOG}
_AFTER_A_CUT: Final = (
    FaultKind.JUMP,
    FaultKind.NOISE,
    FaultKind.PAUSE,
    FaultKind.HUNG_DISK,
    FaultKind.TORN,
)
"""What may hit a leader that was cut off and does not know it yet."""
_AFTER_ANYTHING: Final = (
    FaultKind.ISOLATE,
    FaultKind.CLOG,
    FaultKind.PAUSE,
    FaultKind.HUNG_DISK,
    FaultKind.TORN,
)


_SECOND: Final = 26
"""Where second blows draw, as a family does at its number."""


def _second_blows(
    chance: Chance, frame: Frame, faults: Sequence[Fault], latency_us: int
) -> list[Fault]:
    """Return what hits the leader within a few trips over a link after one of `faults`."""
    often = chance.share("second blow")
    lasts_mean_us = chance.log_uniform(*frame.lasts_us, "second lasts")
    second: list[Fault] = []
    for number, fault in enumerate(faults):
        if fault.kind not in _FIRST or not chance.hit(often, "second blow", number):
            continue
        where = (_SECOND, number)
        kinds = _AFTER_A_CUT if fault.kind in _ALONE else _AFTER_ANYTHING
        kind = kinds[chance.below(len(kinds), "second kind", number)]
        delay_us = int(chance.log_uniform(latency_us / 2, 20 * latency_us, "second at", number))
        at_us = fault.at_us + delay_us
        if at_us >= frame.safety_us:
            continue
        how_long_us = int(chance.exponential(lasts_mean_us, "lasting", *where)) + 1_000
        amount = _AMOUNTS.get(kind, _no_amount)(chance, where)
        second.append(Fault(kind, at_us, how_long_us, (LEADER,), amount))
    return second


_AWAY: Final = frozenset({FaultKind.KILL, FaultKind.POWER, FaultKind.ISOLATE, FaultKind.WIPE})
"""Who was, is behind, and is sent a snapshot if it was for long."""


_LINKS: Final = 1_000
"""Where blows to links draw, as a family does at its number."""


def _blows_to_links(
    chance: Chance, frame: Frame, faults: Sequence[Fault], world: WorldSettings
) -> list[Fault]:
    """Return what cuts a leader off from its successor, or while it helps who was away.

    A leader that hands over and does not hear its successor still hears those who follow it.
    """
    latency_us, election_us = world.profile.latency_us, world.raft.election_ms_max * 1_000
    blows: list[Fault] = []
    for number, fault in enumerate(faults):
        share = chance.share("link", number)
        lasts_us = int(election_us * (1.0 + 4.0 * chance.share("link lasts", number)))
        if fault.kind is FaultKind.TRANSFER and chance.hit(0.5, "deaf", number):
            at_us, nodes = fault.at_us + int(2 * latency_us * share), (fault.nodes[0], LEADER)
            blow = Fault(FaultKind.ONE_WAY, at_us, lasts_us, nodes)
        elif fault.kind in _AWAY and chance.hit(0.5, "midstream", number):
            at_us, pieces = fault.at_us + fault.lasts_us, _pieces(chance, (_LINKS, number))
            blow = Fault(FaultKind.MIDSTREAM, at_us, lasts_us, (), pieces)
        else:
            continue
        if blow.at_us < frame.safety_us:
            blows.append(blow)
    return blows


def _chosen(
    chance: Chance, kind: FaultKind, where: tuple[int, int], nodes: int
) -> tuple[int, ...] | None:
    """Return whom it hits, or None if there is nobody to be hit."""
    if kind in _SHARED:
        return ()
    if kind in _WHOLE_DISK:
        victims = _minority(chance, nodes)
        return victims[: 1 + chance.below(len(victims), "victims", *where)] if victims else None
    order = sorted(range(1, nodes + 1), key=lambda number: chance.draw("whom", *where, number))
    count = 1
    match kind:
        case FaultKind.ONE_WAY:
            count = 2
        case FaultKind.PARTITION | FaultKind.SWIZZLE | FaultKind.CLOG:
            count = 1 + chance.below(nodes - 1, "side", *where)
        case FaultKind.BRIDGE:
            count = 1 + (nodes + 1) // 2
        case FaultKind.KILL | FaultKind.POWER | FaultKind.PAUSE | FaultKind.DRIFT:
            count = 1 + chance.below(nodes, "many", *where) // 2
        case _:
            pass
    return tuple(order[:count])


_Where: TypeAlias = tuple[int, int]


def _no_amount(_chance: Chance, _where: _Where) -> int:
    return 0


def _which(chance: Chance, where: _Where) -> int:
    return chance.below(1 << 24, "which", *where)


def _pieces(chance: Chance, where: _Where) -> int:
    return int(chance.log_uniform(1, 30, "pieces", *where)) - 1


def _jump(chance: Chance, where: _Where) -> int:
    size_us = int(chance.log_uniform(1_000, 4e11, "jump", *where))
    return -size_us if chance.below(2, "back", *where) else size_us


_AMOUNTS: Final[dict[FaultKind, Callable[[Chance, _Where], int]]] = {
    FaultKind.TORN: lambda chance, where: chance.below(6, "step", *where),
    FaultKind.MEMBERS: _which,
    FaultKind.ROT: _which,
    FaultKind.NOISE: lambda chance, where: int(chance.log_uniform(1e3, 1e7, "noise", *where)),
    FaultKind.BURST: lambda chance, where: int(chance.log_uniform(2, 30, "burst", *where)),
    FaultKind.LOSSY: lambda chance, where: int(chance.log_uniform(10, 4_000, "loss", *where)),
    FaultKind.SLOW_LINKS: lambda chance, where: int(
        chance.log_uniform(10_000, 1_000_000, "capacity", *where)
    ),
    FaultKind.SLOW_DISK: lambda chance, where: int(chance.log_uniform(2, 300, "slowness", *where)),
    FaultKind.DRIFT: lambda chance, where: chance.below(400_001, "drift", *where) - 200_000,
    FaultKind.JUMP: _jump,
    FaultKind.MIDSTREAM: _pieces,
}
"""What `Fault.amount` is drawn from; 0 where it means nothing."""
