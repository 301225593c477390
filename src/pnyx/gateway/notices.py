"""What cluster clients are told without asking: shards that set out, and shards that have moved.

A client that said CLIENT MAINT_NOTIFICATIONS ON in RESP3 reads its map again when it hears of a
move, before it runs into MOVED. The words are those that redis-py, go-redis and lettuce read:
``SMIGRATING number slots`` before, ``SMIGRATED number [[from, to, slots], ...]`` after it. Every
node says the same of a move, with the same number, for clients ignore what they have heard already.
It is looked about once a second, so many moves are one notice.
"""

from pnyx.gateway.roles import slots_of
from pnyx.ids import GroupId
from pnyx.machine.results import Values
from pnyx.node.status import Topology
from pnyx.transport.resp import encode_push


class Notices:
    """What one node has told so far."""

    def __init__(self) -> None:
        self._owners: tuple[GroupId, ...] = ()
        self._moving: frozenset[int] = frozenset()

    def begin(self, topology: Topology) -> None:
        """Somebody wants to be told: of a node that has just started what changes from now on."""
        if len(self._owners) != len(topology.owners):
            self._owners = topology.owners

    def look(self, topology: Topology) -> list[bytes]:
        """Return what there is to tell since the last look, ready to be sent."""
        before, self._owners = self._owners, topology.owners
        moving, self._moving = self._moving, topology.moving
        found: list[bytes] = []
        begun = topology.moving - moving
        led = {group.group for group in topology.led_by(topology.me)}
        here = [owner if at in begun else None for at, owner in enumerate(topology.owners)]
        leaving = slots_of(led, here)
        if leaving:
            found.append(encode_push(b"SMIGRATING", topology.moved, spelled(leaving)))
        if len(before) == len(topology.owners) and before != topology.owners:
            moves = _moves(before, topology)
            if moves:
                found.append(encode_push(b"SMIGRATED", topology.moved, Values(moves)))
        return found


def _moves(before: tuple[GroupId, ...], topology: Topology) -> tuple[Values, ...]:
    """Return from where, to where and which slots, for each pair of processes."""
    pairs: list[tuple[GroupId, GroupId] | None] = [
        (old, new) if old != new else None for old, new in zip(before, topology.owners, strict=True)
    ]
    found: list[Values] = []
    for pair in sorted({pair for pair in pairs if pair is not None}):
        source, destination = map(topology.leader, pair)
        if source is None or destination is None or source == destination:
            continue
        gone = [pair[1] if each == pair else None for each in pairs]
        places = [f"{one.host}:{one.cluster_port}".encode() for one in (source, destination)]
        found.append(Values((*places, spelled(slots_of({pair[1]}, gone)))))
    return tuple(found)


def spelled(runs: tuple[tuple[int, int], ...]) -> bytes:
    """Return slots as clients read them: ``0-99,200``."""
    return ",".join(
        f"{first}" if first == last else f"{first}-{last}" for first, last in runs
    ).encode()
