"""Which faults befall a run, family by family, and the second blows of a duel.

A family is all faults of one kind in a run. How often they come and how long they last is drawn for
each family; whom each fault hits, for each fault.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple, TypeAlias

from pnyx.lab.chance import Chance
from pnyx.lab.faults import LEADER, Fault, FaultKind
from pnyx.lab.world import WorldSettings

START_US: Final = 500_000
"""Faults begin after this: the cluster has formed."""
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
_AWAY: Final = frozenset({FaultKind.KILL, FaultKind.POWER, FaultKind.ISOLATE, FaultKind.WIPE})
"""Who was, is behind, and is sent a snapshot if it was for long."""
_LINKS: Final = 1_000
"""Where blows to links draw, as a family does at its number."""


class Frame(NamedTuple):
    """What all faults of a run are drawn within."""

    nodes: int
    safety_us: int
    rate: float = 0.5
    """Share of the families."""
    lasts_us: tuple[float, float] = (30_000, 3_000_000)
    """Of a family's mean."""


def minority(chance: Chance, nodes: int) -> tuple[int, ...]:
    """Return fewer than half of the nodes, the same at each call: who bears all damage to disks."""
    count = (nodes - 1) // 2
    order = sorted(range(1, nodes + 1), key=lambda number: chance.draw("minority", number))
    return tuple(sorted(order[:count]))


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


def second_blows(
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


def blows_to_links(
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
        victims = minority(chance, nodes)
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
