"""Judges sessions: whether each write was done at most once, and what its retries were told.

The oracle reads the agreed log and remembers every write of every session for ever; the machine may
forget. It knows appends only, each of a value that no other has, so a value that a replica holds
says which writes were done there, and how often.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from pnyx.consensus.ready import EntryKind
from pnyx.lab.invariants.catalogue import EXACTLY_ONCE, FIRST_ANSWER, LATE_REFUSED
from pnyx.lab.invariants.facts import state_of
from pnyx.lab.invariants.invariant import Invariant, Mark, Marks
from pnyx.lab.invariants.record import Record
from pnyx.lab.process import Process
from pnyx.lab.scenario import Call
from pnyx.lab.seat import Seat
from pnyx.lab.watch import Violation, Watch
from pnyx.machine.commands import Append, Get, Sequenced, decode
from pnyx.machine.group import Group
from pnyx.machine.rows import KIND_SESSION
from pnyx.machine.sessions import SESSION_BYTES, WINDOW, decode_counts, decode_record
from pnyx.replica.effects import Outbound
from pnyx.replica.messages import ForwardReply
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Answer, Done

TABLES_BOUNDED: Final = Invariant(
    "session_tables_bounded",
    "sharding: sessions",
    "A table that forgets too little ends in a disk that is full of clients long gone.",
    Mark("session_forgotten", "A replica forgot a session."),
)
INVARIANTS: Final = (EXACTLY_ONCE, LATE_REFUSED, FIRST_ANSWER, TABLES_BOUNDED)

_Name: TypeAlias = tuple[bytes, int]
"""Session and sequence."""


class Retries(Watch):
    """Sees all replicas of one group, and all answers."""

    def __init__(self, marks: Marks | None = None) -> None:
        """Count into `marks`, or into new ones."""
        self.marks = marks if marks is not None else Marks()
        self._record = Record()
        self._clock_ms = 0
        self._done: dict[_Name, int] = {}
        """The answer of each write that was done: a length."""
        self._late: set[bytes] = set()
        """Values of writes that came too late at least once."""
        self._acks: dict[tuple[bytes, bytes], int] = {}
        """By session and key."""
        self._values: dict[bytes, bytes] = {}
        self._after: list[dict[bytes, bytes]] = [{}]
        """All values after each entry."""
        self._told: set[_Name] = set()
        self._seen: dict[tuple[int, int], int] = {}
        """By node and life, the entry up to which its state was looked at."""
        self._sessions: dict[int, int] = {}
        """By node, how many records it held last."""

    def started(self, seat: Seat) -> None:
        """The first one knows whom the group was formed of."""
        replica = seat.replica
        self._record.begin(state_of(replica).log.membership, replica.group)

    def touched(self, seat: Seat) -> None:
        """Follow the log, and compare what was applied there since."""
        replica = seat.replica
        self._learn(replica)
        key, applied = (seat.number, seat.life), replica.group.applied.index
        if applied > self._seen.get(key, 0):
            self._seen[key] = applied
            self._compare(seat.process, replica.group)

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        """Compare an answer with the first one.

        Raises:
            Violation: another write's, or that of a write that was never done.
        """
        self._learn(process.replica)
        command = ticket.commands[0] if isinstance(ticket, Call) and ticket.commands else None
        if not isinstance(command, Sequenced) or not isinstance(answer, Done):
            return
        result, name = answer.results[0], (command.session, command.sequence)
        if not isinstance(result, int):
            return
        if self._done.get(name) != result:
            raise FIRST_ANSWER.broken(
                f"sequence {name[1]} of {name[0].hex()} was told {result}, and its first answer is "
                f"{self._done.get(name)}"
            )
        if name in self._told:
            self.marks.hit(FIRST_ANSWER.sometimes)
        self._told.add(name)

    def sending(self, seat: Seat, outbound: Outbound) -> None:
        """What an answer to another node rests on is committed, should the event end early."""
        if isinstance(outbound.message, ForwardReply):
            self._learn(seat.replica)

    def _learn(self, replica: Replica | None) -> None:
        if replica is None:
            return
        for entry in self._record.learn(state_of(replica)):
            if entry.kind == EntryKind.COMMANDS:
                batch = decode(entry.payload)
                self._clock_ms = max(self._clock_ms, batch.stamp_ms)
                for command in batch.commands:
                    if isinstance(command, Sequenced):
                        self._do(command)
            self._after.append(dict(self._values))

    def _do(self, command: Sequenced) -> None:
        write, name = command.command, (command.session, command.sequence)
        assert isinstance(write, Append), "the sessions of this judge append"
        where = (command.session, write.key)
        if command.deadline_ms <= self._clock_ms:
            self.marks.hit(LATE_REFUSED.sometimes)
            self._late.add(write.value)
        elif name in self._done:
            self.marks.hit(EXACTLY_ONCE.sometimes)
        elif command.sequence > max(command.ack, self._acks.get(where, 0)):
            self._acks[where] = max(command.ack, self._acks.get(where, 0))
            self._values[write.key] = self._values.get(write.key, b"") + write.value
            self._done[name] = len(self._values[write.key])

    def _compare(self, process: Process, group: Group) -> None:
        expected = self._after[group.applied.index]
        held = group.read([Get(key) for key in expected], 0)
        assert held is not None, "the committed clock needs no agreement"
        for (key, value), has in zip(expected.items(), held, strict=True):
            if has != value:
                raise self._broken(process, key, value, has if isinstance(has, bytes) else b"")
        self._look_at_table(process, group)

    def _broken(self, process: Process, key: bytes, value: bytes, has: bytes) -> Violation:
        same = next((at for at, (a, b) in enumerate(zip(value, has, strict=False)) if a != b), None)
        at = min(len(value), len(has)) if same is None else same
        start = has.rfind(b";", 0, at) + 1
        token = has[start : has.find(b";", start) + 1]
        invariant = LATE_REFUSED if token in self._late else EXACTLY_ONCE
        return invariant.broken(
            f"{process.label} holds {has[start : start + 60]!r} in {key!r} where the log says "
            f"{value[start : start + 60]!r}"
        )

    def _look_at_table(self, process: Process, group: Group) -> None:
        records = counted = 0
        view = group.view()
        for row_key, row in view.rows():
            if row_key[:1] != KIND_SESSION:
                continue
            if len(row_key) == 3:
                counted += sum(decode_counts(row).values())
            elif len(row_key) == 3 + SESSION_BYTES:
                records += 1
                record = decode_record(row)
                if record.deadline_ms <= group.clock_ms or len(record.kept) > WINDOW:
                    view.close()
                    raise TABLES_BOUNDED.broken(
                        f"{process.label} keeps {record} at {group.clock_ms} of its clock"
                    )
        view.close()
        if records != counted:
            raise TABLES_BOUNDED.broken(
                f"{process.label} counts {counted} sessions and has {records}"
            )
        if records < self._sessions.get(process.number, 0):
            self.marks.hit(TABLES_BOUNDED.sometimes)
        self._sessions[process.number] = records

    def finish(self, processes: Iterable[Process]) -> None:
        """The run is over: every replica that runs is compared once more."""
        for process in processes:
            if process.replica is not None:
                self._compare(process, process.replica.group)
