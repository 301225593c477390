"""The smallest part of a history that still cannot be explained, and a sentence why.

Only what cannot have been the cause is left out: what was called after the reply that made it
impossible, and operations without which the others could still be explained if they could be with
them (`Model.is_removable`). So the part convicts the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pnyx.lab.explanation import Reason, proof, reason
from pnyx.lab.history import History, Operation
from pnyx.lab.linearizability import Budget, KeyVerdict, Verdict, search
from pnyx.lab.models.catalogue import MODELS
from pnyx.lab.models.model import Model, State
from pnyx.lab.values import Value

STEPS_MAX: Final = 10_000_000
"""For all searches of one shrinking together."""


@dataclass(slots=True)
class Refutation:
    """Why a history is not linearizable."""

    key: Value
    operations: list[Operation]
    """They fail alone; those that had not returned yet count as unknown."""
    reason: Reason
    is_smallest: bool
    """False if the budget ended before every operation was tried to be left out."""


def refute(history: History, verdict: Verdict, budget: Budget | None = None) -> Refutation:
    """Return the smallest failing part of the key that was refuted."""
    assert verdict.word == "not linearizable", "only what was refuted has a reason"
    judged = next(one for one in verdict.keys if one.found.word == "not linearizable")
    start = MODELS[history.model].start(history.initial, judged.key)
    shrinking = _Shrinking(MODELS[history.model], start, budget or Budget(steps_max=STEPS_MAX))
    everything = _matters(judged, shrinking.model)
    told = proof(history.model, judged.operations, everything, start)
    fewer = shrinking.guessed(everything, told.named if told else [])
    kept = shrinking.shrunk(shrinking.first_failing(fewer))
    found = search(shrinking.model, kept, start, Budget(steps_max=STEPS_MAX))
    told = reason(history.model, judged.operations, kept, start, found)
    return Refutation(judged.key, kept, told, is_smallest=not shrinking.is_broken_off)


def _matters(judged: KeyVerdict, model: Model) -> list[Operation]:
    return [one for one in judged.operations if model.matters(one)]


class _Shrinking:
    def __init__(self, model: Model, start: State, budget: Budget) -> None:
        self.model = model
        self.is_broken_off = False
        self._start = start
        self._budget = budget

    def guessed(self, operations: list[Operation], named: Sequence[Operation]) -> list[Operation]:
        """Return `operations` with no other reads than the `named` ones, if they still fail."""
        numbers = {one.number for one in named}
        fewer = [one for one in operations if not one.is_read or one.number in numbers]
        return fewer if named and self._fails(fewer) else operations

    def shrunk(self, kept: list[Operation]) -> list[Operation]:
        """Return the smallest part that was found: reads leave first, then what nobody reads."""
        kept = self._without_any(kept, [one for one in kept if one.is_read])
        others = [one for one in kept if not one.is_read]
        return self._without_any(
            kept, [one for one in others if self.model.is_removable(one, kept)]
        )

    def _without_any(self, kept: list[Operation], candidates: list[Operation]) -> list[Operation]:
        """Return `kept` without those of `candidates` that it fails without (Zeller's ddmin)."""
        size = len(candidates)
        while size and not self.is_broken_off:
            at = 0
            while at < len(candidates) and not self.is_broken_off:
                part = {one.number for one in candidates[at : at + size]}
                fewer = [one for one in kept if one.number not in part]
                if self._fails(fewer):
                    kept = fewer
                    candidates = [one for one in candidates if one.number not in part]
                else:
                    at += size
            size = min(size // 2, len(candidates))
        return kept

    def first_failing(self, operations: list[Operation]) -> list[Operation]:
        """Return the shortest beginning of the history that fails."""
        ends = sorted(one.returned for one in operations if one.returned is not None)
        low, high = 0, len(ends) - 1
        while low < high:
            middle = (low + high) // 2
            if self._fails(self._until(operations, ends[middle])):
                high = middle
            else:
                low = middle + 1
        return self._until(operations, ends[high]) if ends else operations

    def _until(self, operations: Sequence[Operation], end: int) -> list[Operation]:
        cut = [
            one
            if one.returned is None or one.returned <= end
            else replace(one, returned=None, outcome="info", value=None)
            for one in operations
            if one.called < end
        ]
        return [one for one in cut if self.model.matters(one)]

    def _fails(self, operations: list[Operation]) -> bool:
        word = search(self.model, operations, self._start, self._budget).word
        self.is_broken_off = self.is_broken_off or word == "undecided"
        return word == "not linearizable"
