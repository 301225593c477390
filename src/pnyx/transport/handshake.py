"""Who may talk to this node: the first frame in each direction, and how it is judged.

::

    dialler   Hello ------->
              <------- Hello   accepter
              Welcome ----->             up on both sides: parcels may pass

Either side may answer a `Hello` with `Refused` and a reason instead, and close. Nothing else is
decoded before a `Hello` passed `judge`: a node of another cluster never gets a message in.
`Welcome` is there so that the accepter does not call a link up that the dialler is about to refuse.

Any node of the same cluster id is let in, under whatever label: one whose disk was wiped, one that
is to be added, one that was removed and must hear so. What they may do is decided by the membership
in the log, and before there is one by consensus/formation.py, never by a label here.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

import msgspec

from pnyx.ids import NodeId
from pnyx.transport.lane import Lane

PROTOCOL: Final = 1
"""The version of everything behind the handshake. Nodes talk only to the same one."""


class Reason(Enum):
    """Why a handshake was refused."""

    PROTOCOL = "protocol"
    CLUSTER = "cluster"
    LABEL = "label"
    """Not the one that was dialled."""
    SELF = "self"
    """Our own label or our own NodeId: an address or a data directory was copied."""
    ENGINE = "engine"
    """Its groups run another consensus engine: what it says means something else."""
    DIRECTION = "direction"
    """The node whose label sorts first dials, if it knows the other; this was the other one."""
    CROWD = "crowd"
    """Too many nodes have links already."""


class Announced(msgspec.Struct, frozen=True, array_like=True):
    """Where a node says it listens."""

    host: str
    gateway_port: int
    cluster_port: int
    peer_port: int
    http_port: int


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """Who a node is, the same on all its links."""

    cluster_id: str
    node: NodeId
    label: str
    boot: int
    """A random number of this start: a restarted node is told from a reconnected one."""
    announced: Announced
    consensus: str = "raft"
    """The engine of its groups."""


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """The first frame of each side."""

    protocol: int
    lane: Lane
    identity: Identity


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """The last frame on a link that never came up."""

    reason: Reason
    text: str
    """A sentence for the operator's log."""


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag="welcome"):
    """The dialler accepts the accepter's `Hello`; parcels may follow right behind."""


Greeting: TypeAlias = Hello | Welcome | Refused


class BadHello(Exception):
    """An intact frame that is no greeting, or not the one due. The connection is closed."""


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Greeting] = msgspec.msgpack.Decoder(Greeting)


def encode_greeting(greeting: Greeting) -> bytes:
    """Return the body of a handshake's frame."""
    return _encoder.encode(greeting)


def decode_greeting(body: bytes) -> Greeting:
    """Return the handshake's frame.

    Raises:
        BadHello: close the connection.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadHello(str(error)) from error


def judge(
    hello: Hello,
    own: Identity,
    labels: Mapping[str, object],
    dialled: str | None,
) -> Refused | None:
    """Return why `hello` is not acceptable, or None if it is.

    Args:
        hello: what the other side said.
        own: who we are.
        labels: the configured peers, without ourselves.
        dialled: the label whose address we dialled; None if the other side dialled.
    """
    theirs = hello.identity
    refused = _judge_kind(hello, own)
    if refused is not None:
        return refused
    if theirs.node == own.node or theirs.label == own.label:
        return Refused(Reason.SELF, f"is {own.label} ({own.node:x}) like this node")
    if dialled not in {None, theirs.label}:
        return Refused(Reason.LABEL, f"is {theirs.label[:64]}, this node expected {dialled}")
    if dialled is None and theirs.label > own.label and theirs.label in labels:
        return Refused(Reason.DIRECTION, f"{own.label} dials {theirs.label}, never the reverse")
    return None


def _judge_kind(hello: Hello, own: Identity) -> Refused | None:
    """Return why what that node says could not be meant for us, whoever it is."""
    theirs = hello.identity
    if hello.protocol != PROTOCOL:
        text = f"speaks protocol {hello.protocol}, this node {PROTOCOL}"
        return Refused(Reason.PROTOCOL, text)
    if theirs.cluster_id != own.cluster_id:
        text = f"belongs to cluster {theirs.cluster_id[:64]}, this node to {own.cluster_id}"
        return Refused(Reason.CLUSTER, text)
    if theirs.consensus != own.consensus:
        text = f"runs consensus = {theirs.consensus[:64]}, this node {own.consensus}"
        return Refused(Reason.ENGINE, text)
    return None
