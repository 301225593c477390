"""The agreed log as client commands, and how much of it each node has applied.

Scenarios count client commands: a leader's empty entries and members' entries have no number.
"""

from collections.abc import Iterable

from pnyx.consensus.ready import Entry, EntryKind
from pnyx.lab.invariants.facts import state_of
from pnyx.lab.process import Process
from pnyx.lab.seat import Seat
from pnyx.lab.watch import Watch
from pnyx.machine.commands import AnyCommand, Tick, decode
from pnyx.replica.replica import Replica


class CommandLog(Watch):
    """Learns entries when they are committed anywhere, in order."""

    def __init__(self) -> None:
        self.commands: list[AnyCommand] = []
        """All committed commands; number n is at n - 1."""
        self._counts: list[int] = [0]
        """By entry index, how many commands are in the log up to there."""
        self._seen: dict[int, int] = {}

    def touched(self, seat: Seat) -> None:
        """Learn what is newly committed there."""
        replica = seat.replica
        commit = replica.consensus.commit_index
        if commit < len(self._counts) or commit == self._seen.get(seat.number):
            return
        self._seen[seat.number] = commit
        known = len(self._counts) - 1
        if known < replica.consensus.compacted.index:
            return
        for entry in log_of(replica, known, commit):
            self.commands += commands_in(entry)
            self._counts.append(len(self.commands))

    def applied(self, process: Process) -> int:
        """Return how many commands `process` has applied; 0 while it does not run."""
        if process.replica is None:
            return 0
        index = process.replica.group.applied.index
        return self._counts[min(index, len(self._counts) - 1)]

    def held(self, process: Process) -> int:
        """Return how many commands are in the log of `process`, committed or not."""
        if process.replica is None:
            return 0
        consensus = process.replica.consensus
        commit = min(consensus.commit_index, len(self._counts) - 1)
        rest = log_of(process.replica, commit, consensus.last_index)
        return self._counts[commit] + sum(len(commands_in(entry)) for entry in rest)


def log_of(replica: Replica, after: int, through: int) -> Iterable[Entry]:
    """Return the entries ``after + 1 .. through`` of the log of `replica`, all of them held."""
    log = state_of(replica).log
    if after >= through:
        return ()
    return log.page(after, through, through - after, log.bytes)  # type: ignore[arg-type]


def commands_in(entry: Entry) -> list[AnyCommand]:
    """Return the clients' commands of an entry."""
    if entry.kind is not EntryKind.COMMANDS:
        return []
    return [command for command in decode(entry.payload).commands if not isinstance(command, Tick)]
