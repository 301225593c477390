"""What travels in a frame: parcels of packets, or a pulse. msgpack, declared, never implied.

A node sends one parcel per peer, lane and loop turn, however many groups have something to say.
Every message is one of the structs named here; an unknown tag, a missing field or a field of the
wrong type is a `BadParcel`, and the link it came on is closed.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from pnyx.consensus.engines import EngineMessage
from pnyx.consensus.formation import FormationMessage
from pnyx.errors import LimitExceeded
from pnyx.ids import GroupId, NodeId
from pnyx.replica.messages import ReplicaMessage
from pnyx.transport.frames import FRAME_BYTES_MAX, Parts, frame, frame_in_parts

FORMATION: Final = GroupId(0xFFFF_FFFF)
"""The packet's group when its message is about forming the cluster: no group exists yet."""

PIECE_BYTES_MAX: Final = FRAME_BYTES_MAX - 64
"""Longest encoded packets of one parcel; what surrounds them needs less than 64 bytes."""

JOINED_BYTES_MAX: Final = 64 * 1024
"""Of a piece: to send it in parts costs more than to copy so little."""

Message: TypeAlias = EngineMessage | ReplicaMessage | FormationMessage


NO_MESSAGE: Final = (msgspec.DecodeError, ValueError, RecursionError)
"""What msgspec raises for bytes that are not the type asked for; text that is no UTF-8 is a plain
ValueError."""


class BadParcel(Exception):
    """A whole, intact frame that is no message of ours. The link is closed."""


class Packet(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message and the group it belongs to."""

    group: GroupId
    message: Message


class Parcel(msgspec.Struct, frozen=True, array_like=True, tag="parcel", gc=False):
    """Everything one node says to another in one loop turn on one lane."""

    sender: NodeId
    to: NodeId
    wall_ms: int
    """The sender's wall clock, ms since 1970, when it sent this."""
    packets: tuple[Packet, ...]


class Pulse(msgspec.Struct, frozen=True, array_like=True, tag="pulse", gc=False):
    """Nothing, said so that an idle link can be told from a dead one."""


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Parcel | Pulse] = msgspec.msgpack.Decoder(Parcel | Pulse)
_PARCEL: Final = Parcel.__struct_config__.tag
PULSE: Final = _encoder.encode(Pulse())


def encode_packets(packets: Sequence[Packet]) -> list[bytes]:
    """Return `packets`, in order, as pieces that each fit in one frame. Normally one.

    Raises:
        LimitExceeded: one packet alone is larger than a frame may be; nothing was encoded.
    """
    piece = _encoder.encode(packets)
    if len(piece) <= PIECE_BYTES_MAX:
        return [piece]
    if len(packets) == 1:
        raise LimitExceeded(
            f"a message of {len(piece)} bytes does not fit in a frame",
            cause=f"a frame holds at most {PIECE_BYTES_MAX} bytes",
            next_step="ask for less at once",
        )
    half = len(packets) // 2
    return encode_packets(packets[:half]) + encode_packets(packets[half:])


class Pieces:
    """What was encoded last: peers at the same place are sent the same messages."""

    __slots__ = ("_packets", "_pieces")

    def __init__(self) -> None:
        self._packets: Sequence[Packet] = ()
        self._pieces: list[bytes] = []

    def of(self, packets: Sequence[Packet]) -> list[bytes]:
        """Return `encode_packets` of `packets`, which do not change any more.

        Raises:
            LimitExceeded: as there.
        """
        if packets != self._packets:
            self._pieces = encode_packets(packets)
            self._packets = packets
        return self._pieces

    def forget(self) -> None:
        """Give the memory back."""
        self._packets, self._pieces = (), []


def encode_parcel(sender: NodeId, to: NodeId, wall_ms: int, piece: bytes) -> bytes:
    """Return the body of a frame around one piece of `encode_packets`."""
    return _encoder.encode((_PARCEL, sender, to, wall_ms, msgspec.Raw(piece)))


def frame_parcel(sender: NodeId, to: NodeId, wall_ms: int, piece: bytes) -> Parts:
    """Return the frame around one piece of `encode_packets`; in it a large one is not copied."""
    if len(piece) <= JOINED_BYTES_MAX:
        return (frame(encode_parcel(sender, to, wall_ms, piece)),)
    return frame_in_parts(encode_parcel(sender, to, wall_ms, b""), piece)


def decode_body(body: bytes) -> Parcel | Pulse:
    """Return what a peer sent after the handshake.

    Raises:
        BadParcel: close the link; nothing of the frame was used.
    """
    try:
        return _decoder.decode(body)
    except NO_MESSAGE as error:
        raise BadParcel(str(error)) from error
