"""What simulated clients saw, as a history that any judge can read: the black-box view of a run.

The commands of one request become operations of their own that overlap in time: that they happened
together is not judged here (the witness does). Counters, keys that expire, and compare-and-sets
whose condition was not met are left out; one that took place is a put.
"""

from collections.abc import Iterator, Sequence

from pnyx.lab.history import History, Outcome
from pnyx.lab.values import Value
from pnyx.lab.workload import BRIEF, Ticket, outcome_of
from pnyx.machine.commands import AnyCommand, Append, Condition, Get, Sequenced, Set
from pnyx.machine.results import OK, Result
from pnyx.replica.requests import Done


def history_of(tickets: Sequence[Ticket]) -> History:
    """Return the gets, puts and appends of `tickets` as a history of the model kv-append."""
    history = History("kv-append", "")
    events: list[tuple[int, int, int]] = []
    for place, ticket in enumerate(tickets):
        if ticket.attempt > 1:
            # Of a session: told of by its first attempt, whose operation knows them all.
            continue
        # Of two things in one microsecond neither is before the other: calls go first.
        events.append((ticket.called_us, 0, place))
        over_us = ticket.over_us
        if over_us is not None:
            events.append((over_us, 1, place))
    numbers: dict[tuple[int, int], int] = {}
    for time_us, is_return, place in sorted(events):
        ticket = tickets[place]
        for position, (command, result) in enumerate(_told(ticket)):
            words = _words(command, result, unknown=outcome_of(ticket) == "info")
            if words is None:
                continue
            function, key, arguments = words
            if not is_return:
                process: str | int = ticket.client
                if ticket.slot or position:
                    process = f"{ticket.client}.{ticket.slot}.{position}"
                numbers[place, position] = history.call(
                    process, function, key, arguments, time_us=time_us
                )
            else:
                outcome: Outcome = outcome_of(ticket)
                value = _value(function, result) if outcome == "ok" else None
                history.returned(numbers[place, position], outcome, value, time_us=time_us)
    return history


def _told(ticket: Ticket) -> Iterator[tuple[AnyCommand, Result]]:
    results: Sequence[Result] = (None,) * len(ticket.commands)
    answer = ticket.told
    if isinstance(answer, Done):
        results = answer.results
    for command, result in zip(ticket.commands, results, strict=True):
        yield command.command if isinstance(command, Sequenced) else command, result


def _words(
    command: AnyCommand, result: Result, *, unknown: bool
) -> tuple[str, Value, tuple[Value, ...]] | None:
    match command:
        case Get(key) | Append(key) | Set(key) if key.startswith(BRIEF):
            return None
        case Get(key):
            return "get", key.decode(), ()
        case Append(key, value):
            return "append", key.decode(), (value.decode(),)
        case Set(key, value) if command.condition is Condition.ALWAYS or result == OK or unknown:
            return "put", key.decode(), (value.decode(),)
        case _:
            return None


def _value(function: str, result: Result) -> Value:
    if function == "get":
        return result.decode() if isinstance(result, bytes) else ""
    return result if isinstance(result, int) else None
