"""Every planted bug, and every line of the list that has no place to live here."""

from typing import Final

from pnyx.errors import Unlisted
from pnyx.lab.zoo import (
    ballots,
    commits,
    durability,
    elections,
    flow,
    lessons,
    members,
    reads,
    shards,
    snapshots,
    views,
)
from pnyx.lab.zoo.mutant import Absent, Mutant

ENTRIES: Final[tuple[Mutant | Absent, ...]] = (
    *durability.MUTANTS,
    *commits.MUTANTS,
    *elections.MUTANTS,
    *reads.MUTANTS,
    *members.MUTANTS,
    *snapshots.MUTANTS,
    *flow.MUTANTS,
    *ballots.MUTANTS,
    *shards.MUTANTS,
    *lessons.MUTANTS,
    *views.MUTANTS,
)
"""In the order of the list of bugs."""

MUTANTS: Final = tuple(entry for entry in ENTRIES if isinstance(entry, Mutant))
ABSENT: Final = tuple(entry for entry in ENTRIES if isinstance(entry, Absent))

assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS), "a mutant's name is its own"


def named(word: str) -> Mutant:
    """Return the mutant of that name, or of that line of the list (``A1``).

    Raises:
        Unlisted: there is none.
    """
    for mutant in MUTANTS:
        if word in {mutant.name, mutant.id}:
            return mutant
    absent = next((entry for entry in ABSENT if entry.id == word), None)
    raise Unlisted(
        f"no bug called {word} can be planted",
        cause=absent.why if absent is not None else "the list of planted bugs has no such name",
        next_step="see `pnyx lab zoo` for the names",
    )
