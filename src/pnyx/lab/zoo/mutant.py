"""A real bug of a real system, planted here: data that names it and patches that make it.

A mutant changes functions of the product, or of what stands in for its disk and driver, for the
time of a run. No line of the product asks whether it is planted.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pnyx.consensus.engines import EngineName
from pnyx.lab.zoo.biases import Bias

FAMILIES: Final = {
    "A": "Durability and ordering",
    "B": "Commit rules",
    "C": "Elections",
    "D": "Reads",
    "E": "Membership",
    "F": "Snapshots and compaction",
    "G": "Flow control, liveness, the clients' path",
    "H": "Paxos",
    "S": "Shards, sessions, time",
    "P": "Instances, forgetting, lost disks: the lesson of multi-instance Paxos",
    "W": "Views and backups: the lesson of primary-backup",
}


@dataclass(frozen=True, slots=True)
class Patch:
    """One name, and what it means while the mutant is planted."""

    owner: Any
    """A module, a class, or a table (dict)."""
    name: Any
    """An attribute, or a key of the table."""
    value: Any


Patches: TypeAlias = Sequence[Patch]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug."""

    name: str
    """The line of the list of bugs, then words: ``A1-vote-not-durable``."""
    story: str
    """What is wrong, and what it leads to."""
    seen: str
    """Where it really happened."""
    invariants: tuple[str, ...]
    """Who is expected to notice: names of invariants."""
    patches: Callable[[], Patches]
    """Made anew for each run, so that what a patch remembers ends with the run."""
    scenario: str = ""
    """In whose runs it is hunted; empty: in those of the swarm, which has key-value groups only."""
    consensus: EngineName = EngineName.RAFT
    """What the groups run while it is hunted."""
    bias: Bias | None = None
    """Which runs of the swarm can show it; None: any."""

    @property
    def id(self) -> str:
        """The line of the list of bugs: family and number."""
        return self.name.partition("-")[0]

    @property
    def family(self) -> str:
        """A letter; see `FAMILIES`."""
        return self.name[0]


@dataclass(frozen=True, slots=True)
class Absent:
    """A bug that has no place to live here."""

    id: str
    what: str
    why: str
    """Why it cannot be planted: what it needs is not there."""

    @property
    def family(self) -> str:
        """A letter; see `FAMILIES`."""
        return self.id[0]


def mutant(
    name: str,
    *,
    story: str,
    seen: str,
    caught_by: Sequence[str],
    scenario: str = "",
    consensus: EngineName = EngineName.RAFT,
    bias: Bias | None = None,
) -> Callable[[Callable[[], Patches]], Mutant]:
    """Make a mutant of the function that returns its patches."""

    def made(patches: Callable[[], Patches]) -> Mutant:
        return Mutant(name, story, seen, tuple(caught_by), patches, scenario, consensus, bias)

    return made


@contextmanager
def planted(mutant: Mutant | None) -> Iterator[None]:
    """Run the block with `mutant` in the product; None plants nothing."""
    undo: list[Patch] = []
    try:
        for patch in mutant.patches() if mutant is not None else ():
            undo.append(Patch(patch.owner, patch.name, _present(patch)))
            _put(patch)
        yield
    finally:
        for patch in reversed(undo):
            _put(patch)


def _present(patch: Patch) -> Any:
    # Of a class what it holds itself, not what a look-up would bind.
    held = patch.owner if isinstance(patch.owner, dict) else vars(patch.owner)
    return held[patch.name]


def _put(patch: Patch) -> None:
    if isinstance(patch.owner, dict):
        patch.owner[patch.name] = patch.value
    else:
        setattr(patch.owner, patch.name, patch.value)
