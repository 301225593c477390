"""How a peer that has lost its disk comes back: it votes for nothing before it is refilled.

It asks everybody for all they hold. Who is asked first makes durable that this peer has a new disk,
then answers; from then on each of its letters says so, and nobody counts the old disk's promises
beside it. With answers of a majority, itself not among them, whatever its old disk had helped to
choose is in one of them, and whatever it had promised is in one of them or counts no more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pnyx.consensus.instances.record import Closed, Open, Record
from pnyx.ids import NodeId


@dataclass(slots=True)
class Rejoining:
    """What was answered so far."""

    quorum: int
    answers: dict[NodeId, tuple[tuple[int, Record], ...]] = field(default_factory=dict)
    due_ms: int = 0
    """When to ask again."""

    @property
    def is_enough(self) -> bool:
        """Is it a majority, without the one that asks?"""
        return len(self.answers) >= self.quorum

    def merged(self) -> dict[int, Record]:
        """Return of each instance what a disk must know that voted in all that was answered."""
        records: dict[int, Record] = {}
        for node in sorted(self.answers):
            for seq, record in self.answers[node]:
                records[seq] = _highest(record, records.get(seq))
        return records


def _highest(one: Record, other: Record | None) -> Record:
    if other is None or isinstance(one, Closed):
        return one
    if isinstance(other, Closed):
        return other
    accepted = [each.accepted for each in (one, other) if each.accepted]
    return Open(
        max(one.promised, other.promised),
        max(accepted, key=lambda each: each.ballot, default=None),
    )


def name_of(node: NodeId, birth: int, peers: Iterable[NodeId]) -> NodeId:
    """Return the name in the ballots of a peer's disk: no other disk has used it, of any peer.

    A disk that is gone may have proposed in rounds that nobody else remembers.
    """
    assert node in peers, "only peers propose"
    return NodeId(birth * (max(peers) + 1) + node)
