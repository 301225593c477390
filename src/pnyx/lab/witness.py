"""Judges what clients are told against the agreed log: on every run, at linear cost.

The world knows the order in which requests took effect, so nothing is searched for. A write is
found in the log by its value, which no other has; a read must fit somewhere between what everybody
had been told before it was asked and what was committed when it was answered. `_floor` is that
first bound: the newest entry that some answered request stands at or has seen. A read that went by
the log, for what time it is had to be agreed first, may also stand inside an entry, between writes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from pnyx.consensus.ready import Entry, EntryKind
from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import state_of
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.invariants.record import Record
from pnyx.lab.process import Process
from pnyx.lab.seat import Seat
from pnyx.lab.sequential import Seen, Sequential
from pnyx.lab.watch import Watch
from pnyx.lab.workload import Ticket
from pnyx.machine.commands import (
    AnyCommand,
    Append,
    Condition,
    Get,
    MGet,
    Sequenced,
    Set,
    SetNx,
    SetRange,
    Tick,
    Ttl,
    decode,
)
from pnyx.machine.once import ACKNOWLEDGED, DEADLINE_PASSED, DEADLINE_TOO_FAR
from pnyx.machine.results import Result, Values
from pnyx.replica.effects import Outbound
from pnyx.replica.messages import ForwardReply
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Answer, Done, Elsewhere, NotDone, Request, Unknown
from pnyx.transport.verdict import Outcome

_Commands: TypeAlias = tuple[AnyCommand, ...]
_NAMED: Final = (Set, SetNx, Append, SetRange)
"""Commands whose value says whose they are."""
_Key: TypeAlias = tuple[int, int, int]
"""Client, number, attempt."""


@dataclass(slots=True, eq=False)
class _Asked:
    """One request, and where it took effect."""

    client: int
    number: int
    commands: _Commands
    floor: int
    """Everything answered before this was asked stands at or below this entry."""
    writes: bool
    alike: "_Alike | None" = None
    """Set if no command of it has a value of its own."""
    index: int | None = None
    results: tuple[Result, ...] = ()
    answer: Answer | None = None
    said: Outcome | None = None
    """What its client said when it gave up."""

    def __str__(self) -> str:
        return f"request {self.number} of client {self.client}"

    @property
    def is_refused(self) -> bool:
        return isinstance(self.answer, NotDone | Elsewhere)


@dataclass(slots=True)
class _Alike:
    """Requests that cannot be told from each other: they are counted.

    Those are counters, and the attempts of a session's writes: they are meant to be the same.
    """

    asked: int = 0
    refused: int = 0
    placed: int = 0
    open: list[tuple[int, tuple[Result, ...]]] = field(default_factory=list)
    """(entry, results) of those in the log that no answer was matched with."""
    said: Outcome | None = None
    """Of attempts: what their client said when it gave up."""
    done_at: int | None = None
    """Of attempts: in which entry the writes were done."""
    told: int = 0
    """How many were answered."""


class Witness(Watch):
    """Sees all requests and answers of one world."""

    def __init__(self, marks: Marks | None = None) -> None:
        """Count into `marks`, or into new ones."""
        self.marks = marks if marks is not None else Marks()
        self._record = Record()
        self._model = Sequential(self._record)
        self._asked: dict[_Key, _Asked] = {}
        self._by_value: dict[bytes, tuple[_Asked, int]] = {}
        """By value, whose it is and which of its commands."""
        self._alike: dict[_Commands, _Alike] = {}
        self._reads_by_log: dict[_Commands, list[tuple[int, tuple[Result, ...]]]] = {}
        """For each read that was ever asked, (entry, results) of where the log holds the like."""
        self._floor = 0
        self._placed = 0
        """Entries of the record that were looked through."""
        self._late: list[bytes] = []
        """Values of writes that came too late."""
        self._looked: dict[int, int] = {}
        """By node, the entry after which its state was looked at."""

    # What the world says.

    def started(self, seat: Seat) -> None:
        """The first one knows whom the group was formed of."""
        replica = seat.replica
        self._record.begin(replica.consensus.membership, replica.group)

    def submitted(self, process: Process, request: Request) -> None:
        """Remember what is asked, and what everybody had been told by then."""
        ticket = request.ticket
        if not isinstance(ticket, Ticket):
            return
        commands = _plain(request.commands)
        writes = any(command.writes for command in commands)
        asked = _Asked(ticket.client, ticket.number, commands, self._floor, writes)
        self._asked[ticket.client, ticket.number, ticket.attempt] = asked
        is_named = False
        for position, command in enumerate(commands):
            if isinstance(command, _NAMED):
                assert command.value not in self._by_value, "a client writes each value once"
                self._by_value[command.value] = (asked, position)
                is_named = True
        if not writes:
            self._reads_by_log.setdefault(commands, [])
        elif not is_named:
            asked.alike = self._alike.setdefault(commands, _Alike())
            asked.alike.asked += 1

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        """Judge an answer.

        Raises:
            Violation: it says something that is not so.
        """
        self._learn(process.replica)
        asked = None
        if isinstance(ticket, Ticket):
            asked = self._asked.get((ticket.client, ticket.number, ticket.attempt))
        if asked is None:
            return
        if asked.answer is not None:
            raise catalogue.ANSWERED_ONCE.broken(
                f"{asked} was answered {asked.answer}, and {answer}"
            )
        asked.answer = answer
        match answer:
            case Done(results):
                self._judge_done(asked, results)
            case Unknown():
                self.marks.hit(catalogue.ANSWERED_ONCE.sometimes)
                if asked.index is not None:
                    self.marks.hit(catalogue.NO_REQUEST_TWICE.sometimes)
            case _:
                self._judge_refusal(asked)

    def gave_up(self, ticket: Any, outcome: Outcome) -> None:
        """Judge what a client says of a write that it waits for no more.

        Raises:
            Violation: it says that nothing was done, and it was.
        """
        asked = self._asked.get((ticket.client, ticket.number, ticket.attempt))
        if outcome == "not_applied":
            self.marks.hit(catalogue.NOT_APPLIED_MEANS_NEVER.sometimes)
        if asked is not None:
            asked.said = outcome
            done_at = asked.index
            if asked.alike is not None and ticket.operation is not None:
                asked.alike.said, done_at = outcome, asked.alike.done_at
            _check_said(outcome, done_at, str(asked))

    def sending(self, seat: Seat, outbound: Outbound) -> None:
        """What an answer to another node rests on is committed, should the event end early."""
        if isinstance(outbound.message, ForwardReply):
            self._learn(seat.replica)

    def touched(self, seat: Seat) -> None:
        """Learn what was committed."""
        if seat.replica.consensus.commit_index > self._placed:
            self._learn(seat.replica)
        if self._model.sessions.done:
            self._look_at_state(seat.process)

    def finish(self, processes: Iterable[Process]) -> None:
        """Count what came of the unknown."""
        for process in processes:
            self._learn(process.replica)
            if self._model.sessions.done:
                self._look_at_state(process)
        for asked in self._asked.values():
            if isinstance(asked.answer, Unknown) and asked.writes and asked.index is None:
                self.marks.hit(catalogue.UNKNOWN_NEVER_TOOK_EFFECT)

    def _look_at_state(self, process: Process) -> None:
        """A write that was done again when nobody was told of it shows in what is held."""
        if process.replica is None:
            return
        group, keys = process.replica.group, self._model.keys
        at = group.applied.index
        if at == self._looked.get(process.number):
            return
        self._looked[process.number] = at
        held = group.read([Get(key) for key in keys], 0)
        assert held is not None, "the committed clock needs no agreement"
        for key, value in zip(keys, held, strict=True):
            if self._model.find([Seen(key, value)], at, at) is None:
                is_late = isinstance(value, bytes) and any(late in value for late in self._late)
                rule = catalogue.LATE_REFUSED if is_late else catalogue.EXACTLY_ONCE
                raise rule.broken(
                    f"{process.label} holds {_short(value)} in {key!r} after entry {at}, which is "
                    "not what comes of each write of the log, done once"
                )

    # Inside: the log.

    def _learn(self, replica: Replica | None) -> None:
        if replica is None or replica.consensus.commit_index <= self._placed:
            return
        for entry in self._record.learn(state_of(replica)):
            self._placed = entry.index
            if entry.kind == EntryKind.COMMANDS:
                self._place_entry(entry)

    def _place_entry(self, entry: Entry) -> None:
        batch = decode(entry.payload)
        commands = _plain(batch.commands)
        results = self._model.apply(entry.index, batch)
        at = requests = 0
        while at < len(commands):
            asked = self._owner(commands, at)
            if asked is not None:
                end = at + len(asked.commands)
                if commands[at:end] != asked.commands:
                    raise catalogue.NOTHING_UNASKED.broken(
                        f"entry {entry.index} holds only a part of {asked}"
                    )
                self._place(asked, entry.index, tuple(results[at:end]))
            else:
                end = self._place_alike(entry.index, commands, results, at)
            at = end
            requests += 1
        if requests > 1:
            self.marks.hit(catalogue.NOTHING_UNASKED.sometimes)

    def _owner(self, commands: _Commands, at: int) -> _Asked | None:
        """Return whose request begins at `at`; None if nothing in it has a value of its own."""
        for position in range(at, len(commands)):
            command = commands[position]
            if not isinstance(command, _NAMED):
                continue
            asked, offset = self._by_value.get(command.value, (None, 0))
            if asked is None or offset > position - at:
                raise catalogue.NOTHING_UNASKED.broken(
                    f"the log holds {type(command).__name__} of {command.value[:40]!r}, "
                    + ("which nobody asked for" if asked is None else f"a part of {asked}")
                )
            return asked if offset == position - at else None
        return None

    def _place(self, asked: _Asked, index: int, results: tuple[Result, ...]) -> None:
        if asked.index is not None:
            raise catalogue.NO_REQUEST_TWICE.broken(
                f"{asked} is in the log at entry {asked.index}, and again at {index}"
            )
        if asked.is_refused:
            raise catalogue.NOT_DONE_MEANS_NEVER.broken(
                f"{asked} was answered {asked.answer}, and is in the log at entry {index}"
            )
        if index <= asked.floor:
            raise catalogue.DONE_MEANS_COMMITTED.broken(
                f"{asked} is in the log at entry {index}; before it was asked, somebody had been "
                f"told of entry {asked.floor}"
            )
        asked.index = index
        asked.results = results
        _check_said(asked.said, index, str(asked))
        if isinstance(asked.answer, Unknown):
            self.marks.hit(catalogue.NO_REQUEST_TWICE.sometimes)

    def _place_alike(
        self, index: int, commands: _Commands, results: Sequence[Result], at: int
    ) -> int:
        """Count a request that has no value of its own; return where the next one begins."""
        end = at + 1
        while end < len(commands) and not isinstance(commands[end], _NAMED):
            end += 1
        if not commands[at].writes:
            self._place_reads(index, commands[at:end], results[at:end])
        while end > at:
            alike = self._alike.get(commands[at:end])
            if alike is not None:
                alike.placed += 1
                alike.open.append((index, tuple(results[at:end])))
                if isinstance(commands[at], Sequenced):
                    self._place_attempt(index, alike, commands[at], results[at])
                _check_counts(alike, commands[at:end])
                return end
            end -= 1
        if commands[at].writes and not isinstance(commands[at], Tick):
            raise catalogue.NOTHING_UNASKED.broken(
                f"entry {index} holds {commands[at]}, which nobody asked for"
            )
        return at + 1

    def _place_attempt(
        self, index: int, alike: _Alike, command: AnyCommand, result: Result
    ) -> None:
        """All writes of an operation have one deadline: what becomes of one becomes of all."""
        if result == DEADLINE_PASSED:
            self.marks.hit(catalogue.LATE_REFUSED.sometimes)
            if isinstance(command, Sequenced) and isinstance(command.command, _NAMED):
                self._late.append(command.command.value)
        elif alike.done_at is not None:
            self.marks.hit(catalogue.EXACTLY_ONCE.sometimes)
        elif result not in (ACKNOWLEDGED, DEADLINE_TOO_FAR):
            alike.done_at = index
            _check_said(alike.said, index, str(command))

    def _place_reads(self, index: int, commands: _Commands, results: Sequence[Result]) -> None:
        # They change nothing, so it does not matter whose of those that look alike it is.
        self.marks.hit(catalogue.READ_BY_LOG)
        for end in range(1, len(commands) + 1):
            if commands[end - 1].writes:
                return
            placed = self._reads_by_log.get(commands[:end])
            if placed is not None:
                placed.append((index, tuple(results[:end])))

    # Inside: answers.

    def _judge_done(self, asked: _Asked, results: tuple[Result, ...]) -> None:
        if not asked.writes:
            self._judge_read(asked, results)
            return
        self.marks.hit(catalogue.DONE_MEANS_COMMITTED.sometimes)
        if asked.alike is not None:
            asked.index = _claim(asked, asked.alike, results)
            asked.alike.told += 1
            if asked.alike.told > 1 and isinstance(asked.commands[0], Sequenced):
                self.marks.hit(catalogue.FIRST_ANSWER.sometimes)
        elif asked.index is None:
            raise catalogue.DONE_MEANS_COMMITTED.broken(
                f"{asked} was answered done, and is not in the agreed log"
            )
        elif results != asked.results:
            raise catalogue.RESULTS_FOLLOW_THE_LOG.broken(
                f"{asked} was told {results}; at entry {asked.index} its commands give "
                f"{asked.results}"
            )
        self._floor = max(self._floor, asked.index)
        if any(
            isinstance(command, Set) and command.condition != Condition.ALWAYS and result is None
            for command, result in zip(asked.commands, results, strict=True)
        ):
            self.marks.hit(catalogue.RESULTS_FOLLOW_THE_LOG.sometimes)

    def _judge_refusal(self, asked: _Asked) -> None:
        if not asked.writes:
            return
        self.marks.hit(catalogue.NOT_DONE_MEANS_NEVER.sometimes)
        if asked.index is not None:
            raise catalogue.NOT_DONE_MEANS_NEVER.broken(
                f"{asked} is in the log at entry {asked.index}, and was answered {asked.answer}"
            )
        if asked.alike is not None:
            asked.alike.refused += 1
            _check_counts(asked.alike, asked.commands)

    def _judge_read(self, asked: _Asked, results: tuple[Result, ...]) -> None:
        seen = _seen(asked.commands, results)
        position = self._model.find(seen, asked.floor, self._record.count)
        if position is None:
            # What a read inside an entry saw may be gone when the entry is over.
            placed = self._reads_by_log[asked.commands]
            inside = (at for at, told in placed if at > asked.floor and told == results)
            position = next(inside, None)
        if position is None:
            raise catalogue.READS_ARE_CURRENT.broken(self._why_not(asked, seen))
        if any(self._model.changed(each.key, asked.floor) for each in seen):
            self.marks.hit(catalogue.READS_ARE_CURRENT.sometimes)
        self._floor = max(self._floor, position)

    def _why_not(self, asked: _Asked, seen: Sequence[Seen]) -> str:
        count = self._record.count
        for each in seen:
            if self._model.find([each], asked.floor, count) is None:
                had = ", ".join(
                    f"{_short(held)} from entry {index} on"
                    for index, held in self._model.history(each, asked.floor)[:4]
                )
                what = "the deadline " if each.is_deadline else ""
                return (
                    f"{asked} read {what}{_short(each.told)} in {each.key!r}; between entries "
                    f"{asked.floor} (told to somebody before it was asked) and {count} (committed "
                    f"when it was answered) that key had {had}"
                )
        return f"{asked} read values that were never there together"


def _seen(commands: _Commands, results: tuple[Result, ...]) -> list[Seen]:
    """Return what was seen of which keys; other reads are not judged."""
    seen: list[Seen] = []
    for command, result in zip(commands, results, strict=True):
        if isinstance(command, Get):
            seen.append(Seen(command.key, result))
        elif isinstance(command, MGet) and isinstance(result, Values):
            seen += map(Seen, command.keys, result.members)
        elif isinstance(command, Ttl) and command.absolute and not command.seconds:
            seen.append(Seen(command.key, result, is_deadline=True))
    return seen


def _claim(asked: _Asked, alike: _Alike, results: tuple[Result, ...]) -> int:
    later = [found for found in alike.open if found[0] > asked.floor]
    for found in later:
        if found[1] == results:
            alike.open.remove(found)
            return found[0]
    if later:
        rule = catalogue.RESULTS_FOLLOW_THE_LOG
        if isinstance(asked.commands[0], Sequenced):
            if any(DEADLINE_PASSED in told for _, told in later):
                rule = catalogue.LATE_REFUSED
            elif alike.told:
                rule = catalogue.FIRST_ANSWER
        raise rule.broken(
            f"{asked} was told {results}; where such a request stands in the log it gives "
            + " or ".join(str(told) for _, told in later[:4])
        )
    raise catalogue.DONE_MEANS_COMMITTED.broken(
        f"{asked} was answered done, and is not in the agreed log after it was asked"
    )


def _check_said(said: Outcome | None, done_at: int | None, what: str) -> None:
    if said == "not_applied" and done_at is not None:
        raise catalogue.NOT_APPLIED_MEANS_NEVER.broken(
            f"{what} was done at entry {done_at}, and its client says that it was not applied"
        )


def _plain(commands: Sequence[AnyCommand]) -> _Commands:
    """Return `commands` with nothing in them that differs between attempts."""
    return tuple(
        msgspec.structs.replace(each, ack=0) if isinstance(each, Sequenced) else each
        for each in commands
    )


def _check_counts(alike: _Alike, commands: _Commands) -> None:
    if alike.placed > alike.asked:
        raise catalogue.NO_REQUEST_TWICE.broken(
            f"{commands} was asked {alike.asked} times and is in the log {alike.placed} times"
        )
    if alike.placed > alike.asked - alike.refused:
        raise catalogue.NOT_DONE_MEANS_NEVER.broken(
            f"{commands} was asked {alike.asked} times and refused {alike.refused} times, but is "
            f"in the log {alike.placed} times"
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:28]}...{text[-28:]}"
