"""One process' end of its connections: messages to frames and back, by the product's own codec.

A frame belongs to a connection between two lives: what is still on its way when one end has started
anew reaches nobody, as with TCP.
"""

import struct
from collections.abc import Sequence
from typing import Final

from pnyx.ids import GroupId, NodeId
from pnyx.lab.surroundings import REPLIES, Counts, Surroundings
from pnyx.replica.effects import Outbound
from pnyx.replica.messages import BULK
from pnyx.transport.codec import Packet, Parcel, decode_body, encode_packets, frame_parcel
from pnyx.transport.frames import FRAME_BYTES_MAX, FrameReader
from pnyx.transport.lane import Lane

_CONNECTION: Final = struct.Struct("<II")
"""Before each frame: the sender's and the receiver's life, as the connection knows them."""
CONNECTION_BYTES: Final = _CONNECTION.size


class Wiring:
    """The connections of one process, and what went over them."""

    def __init__(self, number: int, world: Surroundings) -> None:
        self.life = 0
        self.linked: dict[int, tuple[int, NodeId]] = {}
        """By number, the life and the NodeId of the peer that a connection leads to."""
        self.counts = Counts()
        self._number = number
        self._world = world

    def send(
        self, me: NodeId, group: GroupId, outbounds: Sequence[Outbound], wall_ms: int
    ) -> list[Outbound]:
        """Send to peers, a parcel a peer and lane; return what has no connection to leave by."""
        parcels: dict[tuple[NodeId, Lane], list[Packet]] = {}
        messages = self.counts.messages
        for outbound in outbounds:
            message = outbound.message
            kind = type(message)
            name = kind.__name__
            messages[name] = messages.get(name, 0) + 1
            key = (outbound.to, Lane.BULK if kind in BULK else Lane.RAFT)
            packets = parcels.get(key)
            if packets is None:
                parcels[key] = [Packet(group, message)]
            else:
                packets.append(Packet(group, message))
        unsent: list[Outbound] = []
        for (to, lane), packets in parcels.items():
            number = self._world.number_of.get(to)
            link = None if number is None else self.linked.get(number)
            if number is None or link is None or link[1] != to:
                unsent += [Outbound(to, packet.message) for packet in packets]
            else:
                self.post(me, number, lane, packets, wall_ms)
        return unsent

    def post(
        self, me: NodeId, number: int, lane: Lane, packets: Sequence[Packet], wall_ms: int
    ) -> None:
        """Send packets over one connection, if there is one."""
        link = self.linked.get(number)
        if link is None:
            return
        theirs, to = link
        reply = type(packets[0].message) in REPLIES
        connection = _CONNECTION.pack(self.life, theirs)
        for piece in encode_packets(packets):
            content = b"".join((connection, *frame_parcel(me, to, wall_ms, piece)))
            self.counts.payload_bytes += len(content)
            self._world.network.send(self._number, number, content, lane=lane, reply=reply)

    def is_ours(self, source: int, content: bytes) -> bool:
        """Do these bytes belong to a connection that still stands?"""
        theirs, mine = _CONNECTION.unpack_from(content)
        link = self.linked.get(source)
        return mine == self.life and link is not None and link[0] == theirs


def parcels_in(content: bytes) -> list[Parcel]:
    """Return the parcels of what arrived: one, or none.

    Raises:
        BadFrame: close the connection.
        BadParcel: close the connection.
    """
    parcels: list[Parcel] = []
    for body in FrameReader(FRAME_BYTES_MAX).feed(content[CONNECTION_BYTES:]):
        parcel = decode_body(body)
        if isinstance(parcel, Parcel):
            parcels.append(parcel)
    return parcels
