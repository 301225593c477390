"""Faults as data: what happens to whom, when, and for how long.

A plan of faults is a tuple of them, so it can be printed, cut down and played again. Each is drawn
and acts by itself: leaving one out changes no other.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from pnyx.ids import NodeId
from pnyx.lab import midstream
from pnyx.lab.network import MIT_REORDERING, MIT_UNRELIABLE, Profile
from pnyx.lab.surroundings import CLUSTER
from pnyx.lab.timeline import NOWHERE
from pnyx.lab.world import World
from pnyx.machine.commands import Batch, encode
from pnyx.storage import segment as segments
from pnyx.storage.recovery import Decision, Verdict, recover
from pnyx.storage.simulated import SECTOR_BYTES, MemoryFiles


class FaultKind(StrEnum):
    """What can go wrong; each is one family of a swarm."""

    KILL = "kill"
    """kill -9; the page cache survives."""
    POWER = "power"
    """One machine loses power: what was not synced is kept, dropped or torn."""
    POWER_ALL = "power all"
    """All machines at once."""
    TORN = "torn"
    """Power fails inside the `amount`-th step of the disk from now."""
    PAUSE = "pause"
    ISOLATE = "isolate"
    PARTITION = "partition"
    """`nodes` against the others."""
    ONE_WAY = "one way"
    """From the first of `nodes` to the second."""
    BRIDGE = "bridge"
    """The first of `nodes` hears everybody; the others of `nodes` do not hear the rest."""
    RING = "ring"
    """Everybody hears the nearest neighbours only: overlapping majorities, no full mesh."""
    CLOG = "clog"
    """Everything to and from `nodes` is held back, then arrives at once."""
    SWIZZLE = "swizzle"
    """`nodes` are clogged one by one, then unclogged in another order."""
    LOSSY = "lossy"
    """Links lose, double, damage and reorder messages; `amount` is in 1/10,000."""
    SLOW_LINKS = "slow links"
    """Links carry only `amount` bytes a second."""
    SLOW_DISK = "slow disk"
    """Syncs take `amount` times as long."""
    HUNG_DISK = "hung disk"
    BAD_DISK = "bad disk"
    """Syncs and writes fail with EIO: the node must stop; it is started again at the end."""
    FULL_DISK = "full disk"
    DRIFT = "drift"
    """The clocks run `amount` parts in a million too fast (or slow)."""
    JUMP = "jump"
    """The wall clock jumps by `amount` microseconds, and back at the end."""
    TRANSFER = "transfer"
    """The leader is asked to hand over, to the first of `nodes`."""
    MEMBERS = "members"
    """The leader is asked for another membership: two bits of `amount` a node, from n1 on, say
    voter (0, 1), learner (2) or none at all (3)."""
    ROT = "rot"
    """A durable batch in the log of each of `nodes` is damaged, where recovery can tell: a bit
    turns, a sector was never written, or holds what belongs to another one. For good."""
    WIPE = "wipe"
    """The machines of `nodes` are lost with their disks; new ones take their places."""
    BURST = "burst"
    """Whoever believes to lead proposes `amount` entries at once: a replica's own batches follow
    each other one by one, so logs would hardly ever differ in more than one entry."""
    NOISE = "noise"
    """Readings of the wall clock are up to `amount` microseconds wrong, each differently."""
    MIDSTREAM = "midstream"
    """Who sends a snapshot is clogged when a piece and `amount` more have arrived, until another
    stream is as far (midstream.py) or for as long as this lasts."""


LEADER: Final = 0
"""In `Fault.nodes`: whoever leads when it begins."""


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """One thing that goes wrong."""

    kind: FaultKind
    at_us: int
    lasts_us: int = 0
    """How long until it is mended: restarted, healed, resumed."""
    nodes: tuple[int, ...] = ()
    amount: int = 0

    def __str__(self) -> str:
        """Return it as a line of a plan."""
        names = [f"n{number}" if number != LEADER else "the leader" for number in self.nodes]
        whom = "".join(f" {name}" for name in names)
        amount = f" {self.amount:+d}" if self.amount else ""
        lasts = f" for {self.lasts_us / 1e6:.3f} s" if self.lasts_us else ""
        return f"{self.at_us / 1e6:9.3f} s  {self.kind}{whom}{amount}{lasts}"


def plan(world: World, faults: Sequence[Fault]) -> None:
    """Let `faults` begin and end in `world` at their times."""
    for fault in faults:
        world.timeline.at(fault.at_us, f"fault {fault.kind}", NOWHERE, begin, world, fault)


def begin(world: World, fault: Fault) -> None:
    """Let `fault` happen now, and plan its end."""
    if LEADER in fault.nodes:
        leader = world.leader()
        named = [number for number in fault.nodes if number != LEADER]
        if leader is not None and leader.number not in named:
            named.insert(fault.nodes.index(LEADER), leader.number)
        if len(named) < (2 if fault.kind is FaultKind.ONE_WAY else 1):
            return
        fault = msgspec.structs.replace(fault, nodes=tuple(named))
    act, mend = ACTS[fault.kind]
    act(world, fault)
    if mend is not None:
        world.timeline.after_us(
            fault.lasts_us, f"mend {fault.kind}", NOWHERE, _unless_frozen, world, fault, mend
        )


def mend_all(world: World, core: Sequence[int]) -> None:
    """End everything that hurts the nodes of `core` and the links between them, for good.

    The others stay as they are, down or hung, and are cut off from the core: heard by a part of it
    only, one of them may go on leading that part, and Raft promises the rest nothing then.
    """
    world.frozen = True
    world.network.profile = world.settings.profile
    if len(core) == len(world.processes):
        world.heal()
    else:
        world.heal_between(core)
        away = [number for number in sorted(world.processes) if number not in core]
        for number in away:
            for member in core:
                world.cut(number, member)
                world.cut(member, number)
    for number in core:
        process = world.processes[number]
        process.disk.error = None
        process.disk.cut_after = None
        process.disk.files.capacity_bytes = 1 << 30
        process.clock.set_drift(world.now_us, 0)
        world.release_disk(number)
        world.resume(number)
        world.restart(number)


_Act = Callable[[World, Fault], None]


def _unless_frozen(world: World, fault: Fault, mend: _Act) -> None:
    if not world.frozen:
        mend(world, fault)


def _kill(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.crash(number, power=False)


def _power(world: World, fault: Fault) -> None:
    for number in fault.nodes or sorted(world.processes):
        world.crash(number, power=True)


def _restart(world: World, fault: Fault) -> None:
    for number in fault.nodes or sorted(world.processes):
        world.restart(number)


def _torn(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].disk.cut_after = fault.amount


def _pause(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.pause(number)


def _resume(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.resume(number)


def _cuts(world: World, fault: Fault) -> list[tuple[int, int]]:
    """Return the directed links that a fault of the network cuts."""
    everyone = sorted(world.processes)
    chosen = set(fault.nodes)
    match fault.kind:
        case FaultKind.ONE_WAY:
            return [(fault.nodes[0], fault.nodes[1])]
        case FaultKind.BRIDGE:
            hub, *left = fault.nodes
            pairs = [(a, b) for a in left for b in everyone if b != hub and b not in left]
        case FaultKind.RING:
            count = len(everyone)
            # Each hears a bare majority, itself included.
            reach = (count // 2 + 1) // 2
            return [
                (a, b)
                for position, a in enumerate(everyone)
                for other, b in enumerate(everyone)
                if min((position - other) % count, (other - position) % count) > reach
            ]
        case _:
            pairs = [(a, b) for a in everyone for b in everyone if a in chosen and b not in chosen]
    return [link for a, b in pairs for link in ((a, b), (b, a))]


def _cut(world: World, fault: Fault) -> None:
    for source, target in _cuts(world, fault):
        world.cut(source, target)


def _mend_cut(world: World, fault: Fault) -> None:
    for source, target in _cuts(world, fault):
        world.mend(source, target)


def _clog(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        for source, target in world.links_of(number):
            world.network.clog(source, target)


def _unclog(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        for source, target in world.links_of(number):
            world.network.unclog(source, target)


def _swizzle(world: World, fault: Fault) -> None:
    step_us = fault.lasts_us // (2 * len(fault.nodes))
    for position, number in enumerate(fault.nodes):
        clog = Fault(FaultKind.CLOG, 0, 0, (number,))
        back = (position * 7 + 3) % len(fault.nodes)
        unclog_us = fault.lasts_us // 2 + back * step_us
        for delay_us, name, act in (
            (position * step_us, "clog", _clog),
            (unclog_us, "unclog", _unclog),
        ):
            world.timeline.after_us(delay_us, name, NOWHERE, _unless_frozen, world, clog, act)


def _lossy(world: World, fault: Fault) -> None:
    rate = fault.amount / 10_000
    match fault.amount % 4:
        case 0:
            profile = MIT_UNRELIABLE
        case 1:
            profile = MIT_REORDERING
        case _:
            profile = Profile(
                jitter_us=2_000,
                loss=rate,
                duplicate=rate,
                replay=rate / 2,
                corrupt=rate / 10,
                reorder=fault.amount % 4 == 2,
            )
    world.network.profile = profile


def _slow_links(world: World, fault: Fault) -> None:
    world.network.profile = Profile(latency_us=5_000, jitter_us=5_000, bytes_per_s=fault.amount)


def _usual_links(world: World, _fault: Fault) -> None:
    world.network.profile = world.settings.profile


def _slow_disk(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].disk.slowness = float(fault.amount)


def _hang_disk(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.hang_disk(number)


def _release_disk(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.release_disk(number)


_EIO: Final = 5
_FULL_BYTES: Final = 16 * 1024


def _bad_disk(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].disk.error = _EIO


def _good_disk(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].disk.error = None
        world.restart(number)


def _fill_disk(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        files = world.processes[number].disk.files
        files.capacity_bytes -= files.free_bytes() - _FULL_BYTES


def _empty_disk(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].disk.files.capacity_bytes = 1 << 30
        world.restart(number)


def _drift(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].clock.set_drift(world.now_us, fault.amount)


def _no_drift(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].clock.set_drift(world.now_us, 0)


def _jump(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].clock.jump(fault.amount)


def _jump_back(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].clock.jump(-fault.amount)


def _members(world: World, fault: Fault) -> None:
    leader = world.leader()
    if leader is None or leader.replica is None:
        return
    present = leader.replica.consensus.membership
    voters: set[NodeId] = set()
    learners: set[NodeId] = set()
    for number in sorted(world.processes):
        node = world.processes[number].node
        match fault.amount >> 2 * number & 3:
            case 0 | 1 if present.has(node):
                voters.add(node)
            case 3:
                pass
            case _:
                # Who is to vote must be a member first.
                learners.add(node)
    if voters:
        leader.recast(
            msgspec.structs.replace(
                present, voters=tuple(sorted(voters)), outgoing=(), learners=tuple(sorted(learners))
            )
        )


_INTACT_BATCHES: Final = 2
"""At the end of a log: rot there cannot be told from a tear, and a power cut may take the last."""


def _rot(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        process = world.processes[number]
        files = process.disk.files
        found = recover(files, CLUSTER, process.node, None).recovered.decisions
        valid = [decision for decision in found if decision.verdict is Verdict.VALID]
        if len(valid) > _INTACT_BATCHES:
            hit = valid[fault.amount % (len(valid) - _INTACT_BATCHES)]
            other = valid[(fault.amount + 1) % len(valid)]
            _damage(files, hit, other, fault.amount % 3)


_HIT_BYTE: Final = 64
"""Of a batch: inside what its checksum covers."""


def _damage(files: MemoryFiles, hit: Decision, other: Decision, how: int) -> None:
    name, offset = segments.file_name(hit.segment), hit.offset + _HIT_BYTE
    sector = offset // SECTOR_BYTES * SECTOR_BYTES
    match how:
        case 0:
            files.damage(name, offset, bytes([files.read(name, offset, 1)[0] ^ 1]))
        case 1:
            files.damage(name, sector, bytes(SECTOR_BYTES))
        case _:
            strange = segments.file_name(other.segment)
            place = other.offset // SECTOR_BYTES * SECTOR_BYTES
            files.damage(name, sector, files.read(strange, place, SECTOR_BYTES))


def _wipe(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.wipe(number)


def _noise(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].clock.set_noise(fault.amount)


def _no_noise(world: World, fault: Fault) -> None:
    for number in fault.nodes:
        world.processes[number].clock.set_noise(0)


_NOTHING: Final = encode(Batch(0, 0, ()))


def _burst(world: World, fault: Fault) -> None:
    for leader in world.leaders():
        for _ in range(fault.amount):
            leader.start_value(_NOTHING)


def _midstream(world: World, fault: Fault) -> None:
    midstream.await_stream(world, 1 + fault.amount, world.now_us + fault.lasts_us)


def _transfer(world: World, fault: Fault) -> None:
    for leader in world.leaders():
        leader.transfer(world.processes[fault.nodes[0]].node)


ACTS: Final[dict[FaultKind, tuple[_Act, _Act | None]]] = {
    FaultKind.KILL: (_kill, _restart),
    FaultKind.POWER: (_power, _restart),
    FaultKind.POWER_ALL: (_power, _restart),
    FaultKind.TORN: (_torn, _restart),
    FaultKind.PAUSE: (_pause, _resume),
    FaultKind.ISOLATE: (_cut, _mend_cut),
    FaultKind.PARTITION: (_cut, _mend_cut),
    FaultKind.ONE_WAY: (_cut, _mend_cut),
    FaultKind.BRIDGE: (_cut, _mend_cut),
    FaultKind.RING: (_cut, _mend_cut),
    FaultKind.CLOG: (_clog, _unclog),
    FaultKind.SWIZZLE: (_swizzle, None),
    FaultKind.LOSSY: (_lossy, _usual_links),
    FaultKind.SLOW_LINKS: (_slow_links, _usual_links),
    FaultKind.SLOW_DISK: (_slow_disk, _release_disk),
    FaultKind.HUNG_DISK: (_hang_disk, _release_disk),
    FaultKind.BAD_DISK: (_bad_disk, _good_disk),
    FaultKind.FULL_DISK: (_fill_disk, _empty_disk),
    FaultKind.DRIFT: (_drift, _no_drift),
    FaultKind.JUMP: (_jump, _jump_back),
    FaultKind.TRANSFER: (_transfer, None),
    FaultKind.MEMBERS: (_members, None),
    FaultKind.ROT: (_rot, None),
    FaultKind.WIPE: (_wipe, _restart),
    FaultKind.BURST: (_burst, None),
    FaultKind.NOISE: (_noise, _no_noise),
    FaultKind.MIDSTREAM: (_midstream, None),
}
"""How each begins, and how it ends if it does not by itself."""
