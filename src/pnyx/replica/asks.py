"""What a migration wants to be asked of a group: data, for the roster to submit."""

from dataclasses import dataclass

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine.commands import AnyCommand
from pnyx.machine.results import Refusal, Result
from pnyx.replica.requests import Answer, Done, Elsewhere, NotDone, Reason


@dataclass(slots=True, eq=False)
class Ask:
    """One request; it is its own ticket. Every one may be made again at any time."""

    asker: GroupId
    """Whose migration wants it."""
    group: GroupId
    """Who is asked."""
    commands: tuple[AnyCommand, ...]
    shard: ShardId
    epoch: Epoch
    """With `shard`: which attempt it is about."""
    stale: bool = False
    """May any replica of the group answer from what it has applied?"""
    asked_ms: int = 0
    """Monotonic; when it was handed out."""

    @property
    def by_log(self) -> bool:
        """Does it change anything?"""
        return any(command.writes for command in self.commands)


def result_of(answer: Answer) -> Result:
    """Return the last command's result; None if nobody knows, or nothing was done."""
    return answer.results[-1] if isinstance(answer, Done) else None


def why_not(group: GroupId, answer: Answer | None) -> str:
    """Return in a sentence why an ask led to nothing; `answer` is None if none came."""
    match answer:
        case Done(results) if isinstance(results[-1], Refusal):
            return f"group g{group} refuses: {results[-1].text}"
        case NotDone(Reason.NO_QUORUM) | Elsewhere():
            return f"group g{group} has no leader"
        case NotDone(reason):
            return f"group g{group} takes nothing at the moment: {reason.value}"
        case _:
            return f"group g{group} does not answer"
