"""Tokens that clients append, what they said of each, and whether they were right."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pnyx.lab.stage import WorldStage
from pnyx.transport.verdict import Outcome


@dataclass(slots=True)
class Said:
    """What clients said of their tokens."""

    answered: set[bytes] = field(default_factory=set)
    not_applied: set[bytes] = field(default_factory=set)
    unknown: set[bytes] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How many writes are over."""
        return len(self.answered) + len(self.not_applied) + len(self.unknown)

    def note(self, outcome: Outcome | None, token: bytes) -> None:
        """Note what was said of `token`; None: that it is there."""
        heaps = {None: self.answered, "not_applied": self.not_applied, "unknown": self.unknown}
        heaps[outcome].add(token)

    def compare(self, stage: WorldStage, found: Sequence[bytes]) -> None:
        """Check what was said against the tokens that are there.

        Raises:
            Failed: one is there twice, is not there, or is there against what was said.
        """
        there = set(found)
        stage.check(len(found) == len(there), f"a token is there twice: {found}")
        missing, wrong = sorted(self.answered - there), sorted(self.not_applied & there)
        stage.check(not missing, f"{missing} were answered and are not there")
        stage.check(not wrong, f"{wrong} were said to be not applied, and are there")
