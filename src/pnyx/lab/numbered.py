"""Writes of simulated clients as they leave in a session: what PNYX.SEQ and the gateway make them.

Numbers, deadlines and acknowledgements are the client library's own (transport/numbering.py).
"""

from typing import Final

import msgspec
from xxhash import xxh3_64_intdigest

from pnyx.machine.commands import AnyCommand, Sequenced
from pnyx.machine.slots import slot_of
from pnyx.transport.numbering import Number, Numbering

USER: Final = b"default"
_encode: Final = msgspec.msgpack.Encoder().encode


def numbered(numbering: Numbering, number: Number, key: bytes, write: AnyCommand) -> Sequenced:
    """Return `write`, of whose keys `key` is one, as its session sends it now."""
    return Sequenced(
        slot_of(key),
        bytes.fromhex(number.session.decode()),
        USER,
        number.sequence,
        numbering.ack,
        number.deadline_ms,
        xxh3_64_intdigest(_encode(write)),
        write,
    )
