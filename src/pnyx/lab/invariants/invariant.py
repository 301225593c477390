"""An invariant as data, and the marks that say whether what it is about was ever reached."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pnyx.lab.watch import Violation


@dataclass(frozen=True, slots=True)
class Mark:
    """A rare event worth reaching: a check that nothing ever tempts proves little."""

    name: str
    says: str
    """What happened, for people."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that holds in every state of every run."""

    name: str
    source: str
    """Where it is written."""
    explanation: str
    """What would go wrong without it, in one sentence."""
    sometimes: Mark
    """Reached in a run in which this invariant could have been broken."""

    def broken(self, sentence: str) -> Violation:
        """Return the violation to raise; `sentence` says what was seen."""
        return Violation(self.name, sentence)


@dataclass(slots=True)
class Marks:
    """How often each mark was reached in one run, or in several."""

    counts: dict[str, int] = field(default_factory=dict)

    def hit(self, mark: Mark) -> None:
        """Count one."""
        self.counts[mark.name] = self.counts.get(mark.name, 0) + 1

    def add(self, other: "Marks") -> None:
        """Count what another run has reached, too."""
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def counted(self) -> tuple[tuple[str, int], ...]:
        """Return names and counts, sorted by name."""
        return tuple(sorted(self.counts.items()))

    def never(self, marks: Iterable[Mark]) -> list[str]:
        """Return the names of those of `marks` that were not reached, in their order."""
        return [mark.name for mark in marks if mark.name not in self.counts]
