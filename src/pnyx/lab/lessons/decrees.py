"""Multi-instance Paxos on a host: its peer, and its records as rows of the disk."""

from typing import Final

import msgspec

from pnyx.consensus.instances.messages import ANSWERS, Letter
from pnyx.consensus.instances.peer import Peer
from pnyx.consensus.instances.record import Found, Record, Standing, Write
from pnyx.ids import NodeId
from pnyx.lab.lessons.host import rows_of
from pnyx.lab.lessons.node import Birth, Effects, Parcel
from pnyx.lab.lessons.world import Language

INSTANCE: Final = b"i"
STANDING: Final = b"standing"
_RECORD: Final[msgspec.msgpack.Decoder[Record]] = msgspec.msgpack.Decoder(Record)
_STANDING: Final = msgspec.msgpack.Decoder(Standing)
_encode: Final = msgspec.msgpack.encode


def row_of(seq: int) -> bytes:
    """Return the key of an instance's row."""
    return INSTANCE + b"%020d" % seq


def seq_of(key: bytes) -> int | None:
    """Return whose row this is, or None if it is no instance's."""
    return int(key[1:]) if key.startswith(INSTANCE) else None


def record_in(row: bytes) -> Record:
    """Return what a row says of an instance."""
    return _RECORD.decode(row)


def standing_in(row: bytes) -> Standing:
    """Return what the row beside the instances says."""
    return _STANDING.decode(row)


class Decrees:
    """A node that does nothing but agree."""

    def __init__(self, birth: Birth) -> None:
        """Go on from the rows of the disk."""
        standing = birth.rows.get(STANDING)
        found = Found(
            birth.disk,
            standing_in(standing) if standing is not None else None,
            {int(key): record_in(row) for key, row in rows_of(birth, INSTANCE)},
        )
        peers = [NodeId(number) for number in birth.hosts]
        self.peer = Peer(NodeId(birth.number), peers, birth.prng, birth.now_ms, found)

    @property
    def deadline_ms(self) -> int:
        """When the peer wants to look at the time."""
        return self.peer.deadline_ms

    def step(self, sender: int, message: Letter, now_ms: int) -> None:
        """A letter arrives."""
        self.peer.step(NodeId(sender), message, now_ms)

    def tick(self, now_ms: int) -> None:
        """Time has passed."""
        self.peer.tick(now_ms)

    def effects(self) -> Effects | None:
        """Return what the peer wants done."""
        ready = self.peer.ready()
        if ready is None:
            return None
        parcels = tuple(
            Parcel(post.to, post.letter, type(post.letter.message) in ANSWERS)
            for post in ready.posts
        )
        return Effects(_rows(ready.write), parcels)

    def persisted(self, now_ms: int) -> None:
        """The peer's oldest unconfirmed wish is durable."""
        self.peer.persisted(now_ms)


def _rows(write: Write) -> tuple[tuple[bytes, bytes | None], ...]:
    rows = [
        (row_of(entry.seq), None if entry.record is None else _encode(entry.record))
        for entry in write.entries
    ]
    if write.standing is not None:
        rows.append((STANDING, _encode(write.standing)))
    return tuple(rows)


LETTERS: Final = Language(Letter, lambda letter: letter.message)
