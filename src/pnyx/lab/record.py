"""What is kept of a run: one JSON line, the same whoever ran it, and how failures are grouped."""

import re
from typing import Final

import msgspec

_NUMBERS: Final = re.compile(r"\b[0-9a-f]*\d[0-9a-f]*\b")


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run of a campaign."""

    what: str
    """`swarm`, or a scenario's id."""
    seed: int
    code: str
    """The hash of the code that ran."""
    events: int
    hash: str
    """Of the run; the same seed and code give the same."""
    simulated_us: int
    requests: int = 0
    invariant: str = ""
    """What broke; empty if nothing did."""
    sentence: str = ""
    replay: str = ""
    """The line that plays it again; only of failures."""
    budgets: tuple[str, ...] = ()
    marks: tuple[tuple[str, int], ...] = ()
    """Rare situations and how often they were seen, by name."""

    @property
    def ok(self) -> bool:
        """Did everything hold?"""
        return not self.invariant

    @property
    def fingerprint(self) -> str:
        """What failures have in common that are probably one bug: rule and sentence, no numbers."""
        scenario = "" if self.what == "swarm" else f"{self.what}: "
        return f"{scenario}{self.invariant}: {_NUMBERS.sub('#', self.sentence)}"[:200]
