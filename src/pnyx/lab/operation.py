"""What a client with a session wants done: one request, however often it is sent.

It decides by the client library's own rules: numbers and deadlines are those of
transport/numbering.py, what an attempt proves and what may be said at the end those of
transport/verdict.py.
"""

from dataclasses import dataclass
from typing import Any

from pnyx.lab.numbered import numbered
from pnyx.machine.commands import AnyCommand, Sequenced
from pnyx.machine.results import Refusal
from pnyx.replica.requests import Answer, Done, Unknown
from pnyx.transport.numbering import Number, Numbering
from pnyx.transport.verdict import Heard, Outcome, Trail, heard_in


@dataclass(slots=True, eq=False)
class Operation:
    """Some writes that leave together, each with a number of its own."""

    numbering: Numbering
    numbers: tuple[Number, ...]
    writes: tuple[Any, ...]
    called_us: int
    ends_us: int
    """Then its client gives up."""
    trail: Trail
    attempts: int = 0
    over_us: int | None = None
    answer: Done | None = None
    said: Outcome | None = None
    """What its client says of it if it had no answer."""

    @classmethod
    def begun(
        cls, numbering: Numbering, writes: tuple[AnyCommand, ...], now_us: int, patience_us: int
    ) -> "Operation | None":
        """Return a new one, None if the session's window is full."""
        if numbering.room < len(writes):
            return None
        taken = [numbering.take(now_us // 1000, patience_us // 1000) for _ in writes]
        numbers = tuple(number for number in taken if number is not None)
        trail = Trail(changes=True, in_session=True)
        return cls(numbering, numbers, writes, now_us, now_us + patience_us, trail)

    def commands(self) -> tuple[Sequenced, ...]:
        """Return what the next attempt sends."""
        self.attempts += 1
        return tuple(
            numbered(self.numbering, number, write.key, write)
            for number, write in zip(self.numbers, self.writes, strict=True)
        )

    def heard(self, answer: Answer | None, now_us: int) -> bool:
        """Note what an attempt came to (None: to nothing). Is it over?"""
        if isinstance(answer, Done):
            heard = _session_says(answer)
            if heard is None:
                self._end(now_us, answer, None)
                return True
        else:
            heard = heard_of(answer)
        self.trail.heard(heard)
        if self.trail.ends_with(heard):
            # A refusal says of itself that nothing was done.
            is_refusal = heard is Heard.REFUSED
            self._end(now_us, None, "not_applied" if is_refusal else self.trail.outcome)
        elif now_us >= self.ends_us:
            self.give_up(now_us)
        return self.over_us is not None

    def give_up(self, now_us: int) -> None:
        """Its client waits no more."""
        self._end(now_us, None, self.trail.outcome)

    def _end(self, now_us: int, answer: Done | None, said: Outcome | None) -> None:
        self.over_us, self.answer, self.said = now_us, answer, said
        for number in self.numbers:
            self.numbering.settle(number)


def heard_of(answer: Answer | None) -> Heard:
    """Return what an attempt proves that was answered so, or (None) not at all."""
    is_doubt = answer is None or isinstance(answer, Unknown)
    return Heard.DOUBT if is_doubt else Heard.NOTHING_DONE


def _session_says(answer: Done) -> Heard | None:
    """Return what refusals among the results prove; None: all is done, or refused once for all."""
    words = [heard_in(told.text) for told in answer.results if isinstance(told, Refusal)]
    return next((heard for heard in (Heard.LATE, Heard.REFUSED) if heard in words), None)
