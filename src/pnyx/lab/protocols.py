"""The protocols that one can watch and break, from one decision to what production runs."""

from dataclasses import dataclass
from typing import Final

from pnyx.consensus.engines import EngineName


@dataclass(frozen=True, slots=True)
class Protocol:
    """One of them: its name is what `pnyx lab run` takes."""

    name: str
    about: str
    scenarios: str
    """The family of its scenarios."""
    bugs: str
    """Families of the zoo that can be planted into it; one to begin with."""
    engine: EngineName | None = None
    """What production runs; None: a lesson."""


PROTOCOLS: Final = (
    Protocol(
        "single-decree",
        "one value by proposers, acceptors and learners; also `pnyx lab explore paxos`",
        "paxos",
        "P: try P1",
    ),
    Protocol(
        "multi-instance",
        "a key-value service on one Paxos for each numbered instance, nobody in charge",
        "paxos",
        "P: try P13",
    ),
    Protocol(
        "multipaxos",
        "one log, a leader with a ballot: the second engine of production",
        "raft, kv with @multipaxos",
        "H: try H6",
        EngineName.MULTIPAXOS,
    ),
    Protocol(
        "primary-backup",
        "a primary, its backup, and one host that says who is who: why consensus is needed",
        "backup",
        "W: try W4",
    ),
    Protocol("raft", "one log, a leader with a term", "raft, kv", "A-G: try B2", EngineName.RAFT),
)
"""In the order of the lesson, Raft beside them."""


def engine_named(name: str) -> EngineName | None:
    """Return the engine whose swarm is meant by this name, or None."""
    found = [each.engine for each in PROTOCOLS if each.name == name.lower()]
    return found[0] if found else None
