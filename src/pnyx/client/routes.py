"""Where to send what: the nodes that are known, who serves which slot, and who is silent.

With gateway ports any node serves every slot, and one is stayed with as long as it answers. With
cluster ports the nodes say who serves what, and correct us with MOVED. No socket, no clock: the
faces send `SLOTS` when `wants_map` says so, and tell what they heard.
"""

from typing import Any, Final

import hiredis

from pnyx.client.url import Address
from pnyx.client.wire import packed
from pnyx.ids import SLOT_COUNT

SLOTS: Final = packed(("CLUSTER", "SLOTS"))
_NO_CLUSTER: Final = "cluster support disabled"

SILENT_S: Final = 1.0
"""A node that did not answer is asked last for so long."""
ASK_S: Final = 0.1
"""The map is asked for at most so often."""
NODES_MAX: Final = 1024


class Routes:
    """The shard map as one client knows it. Each change is one assignment: threads may share it."""

    def __init__(self, seeds: tuple[Address, ...]) -> None:
        self.known: tuple[Address, ...] = tuple(dict.fromkeys(seeds))
        self.speaks_cluster = True
        """Until a node says that its port is not a cluster's."""
        self.masters: tuple[Address | None, ...] = ()
        """By slot; empty while nobody has said."""
        self._is_stale = True
        self._asked_s = float("-inf")
        self._silent: dict[Address, float] = {}
        """Who did not answer, and until when it is asked last."""
        self._turn = 0

    def wants_map(self, now_s: float) -> bool:
        """Should `SLOTS` be sent before anything else? Says so once, until it is due."""
        if not self._is_stale or now_s - self._asked_s < ASK_S:
            return False
        self._asked_s = now_s
        return True

    def address_of(self, slot: int | None, now_s: float, *, is_local: bool = False) -> Address:
        """Return whom to ask for what lies in `slot`; None: for what any node knows.

        While its server is silent another node is, which redirects or asks it; not if `is_local`.
        """
        if self.masters:
            master = self.masters[slot or 0]
            if master is not None and (is_local or self._speaks(master, now_s)):
                return master
        return self.any_address(now_s)

    def any_address(self, now_s: float) -> Address:
        """Return a node that speaks, as far as is known: the same one while it does."""
        known, turn = self.known, self._turn
        for step in range(len(known)):
            address = known[(turn + step) % len(known)]
            if self._speaks(address, now_s):
                return address
        return known[turn % len(known)]

    def heard(self, address: Address) -> None:
        """Note that a node answers."""
        if self._silent:
            self._silent.pop(address, None)

    def failed(self, address: Address, now_s: float) -> None:
        """Note that a node did not answer."""
        self._silent[address] = now_s + SILENT_S
        self._turn += 1
        self._is_stale = self.speaks_cluster

    def moved(self, slot: int, address: Address) -> None:
        """Note a redirection; the rest of the map may be old, too."""
        if address not in self.known and len(self.known) < NODES_MAX:
            self.known += (address,)
        if self.masters and 0 <= slot < SLOT_COUNT:
            self.masters = (*self.masters[:slot], address, *self.masters[slot + 1 :])
        self._is_stale = self.speaks_cluster

    def doubted(self) -> None:
        """Note that a node knows of no leader: the map may be old."""
        self._is_stale = self.speaks_cluster

    def learn(self, reply: Any, asked: Address) -> None:
        """Take over what the node at `asked` answered to `SLOTS`."""
        if isinstance(reply, hiredis.ReplyError):
            if _NO_CLUSTER in str(reply):
                self.speaks_cluster = self._is_stale = False
                self.masters = ()
            return
        masters: list[Address | None] = [None] * SLOT_COUNT
        found: list[Address] = []
        for first, last, *nodes in reply:
            places = [_address(node, asked) for node in nodes]
            found += places
            masters[first : last + 1] = places[:1] * (last + 1 - first)
        if found:
            self.known = tuple(dict.fromkeys([*found, *self.known]))[:NODES_MAX]
            self.masters = tuple(masters)
            self._is_stale = None in masters

    def _speaks(self, address: Address, now_s: float) -> bool:
        return not self._silent or self._silent.get(address, 0.0) <= now_s


def _address(node: Any, asked: Address) -> Address:
    host, port = node[0], node[1]
    text = host.decode() if isinstance(host, bytes) else host
    return text or asked[0], int(port)
