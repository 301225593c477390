"""A snapshot's sender is clogged between two pieces, until another stream is where it was.

Drawn by time alone, the late piece would hardly ever arrive when it is just the next one of that
other stream: the fault waits for its moment, as a power cut waits for a step (`FaultKind.TORN`).
"""

from typing import Final, NamedTuple

from pnyx.lab.process import Process
from pnyx.lab.timeline import NOWHERE
from pnyx.lab.world import World
from pnyx.replica.snapshots import SnapshotReceiver

STEP_US: Final = 500
"""It looks again after this; a piece and its answer take longer."""


class _Stream(NamedTuple):
    sender: int
    receiver: int
    transfer: int
    taken: int
    """So many pieces have arrived."""


def await_stream(world: World, pieces: int, until_us: int) -> None:
    """Clog whoever sends a snapshot of which so many pieces have arrived, as soon as one does."""
    if world.frozen or world.now_us >= until_us:
        return
    stream = _under_way(world, pieces)
    if stream is None:
        world.timeline.after_us(
            STEP_US, "midstream", NOWHERE, await_stream, world, pieces, until_us
        )
        return
    for source, target in world.links_of(stream.sender):
        world.network.clog(source, target)
    _await_another(world, stream, until_us)


def _await_another(world: World, stream: _Stream, until_us: int) -> None:
    if world.frozen:
        return
    receiver = _receiver(world.processes[stream.receiver])
    is_another = receiver is not None and receiver.transfer != stream.transfer
    is_there = receiver is not None and receiver.wanted >= stream.taken
    if world.now_us < until_us and not (is_another and is_there):
        world.timeline.after_us(
            STEP_US, "midstream", NOWHERE, _await_another, world, stream, until_us
        )
        return
    for source, target in world.links_of(stream.sender):
        world.network.unclog(source, target)


def _under_way(world: World, pieces: int) -> _Stream | None:
    for process in world.running():
        receiver = _receiver(process)
        if receiver is None or receiver.wanted < pieces or receiver.awaits_flush:
            continue
        for sender in world.running():
            if sender.node == receiver.sender:
                return _Stream(sender.number, process.number, receiver.transfer, receiver.wanted)
    return None


def _receiver(process: Process) -> SnapshotReceiver | None:
    replica = process.replica
    return None if replica is None else replica._upkeep.receiver  # noqa: SLF001 - only looks
