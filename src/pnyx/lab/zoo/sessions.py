"""What families S and G say of sessions: what is forgotten, and when."""

# A mutant reaches where no caller may.

from typing import Any, Final

import msgspec

from pnyx.lab.zoo.mutant import Patch, Patches, mutant
from pnyx.machine import transactions
from pnyx.machine.commands import Sequenced
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.once import done_once
from pnyx.machine.results import Result
from pnyx.machine.sessions import Sessions

SKEW_MS = 400
"""How far the clocks of two replicas are apart in the mutant that goes by them."""


@mutant(
    "S12-expiry-by-the-local-clock",
    story="A replica compares deadlines and expiries with its own clock, so one replica refuses as "
    "late what another does.",
    seen="Redis' replicas; RedisRaft",
    caught_by=("state_machine_safety", "session_write_done_once", "late_session_write_refused",
               "session_tables_bounded", "retry_gets_first_answer"),
    scenario="K-X2",
)  # fmt: skip
def _expiry_by_the_local_clock() -> Patches:
    replicas: list[Keyspace] = []
    right = Keyspace.begin

    def begin(keyspace: Keyspace, stamp_ms: int, *more: Any) -> None:
        if not any(each is keyspace for each in replicas):
            replicas.append(keyspace)
        at = next(at for at, each in enumerate(replicas) if each is keyspace)
        right(keyspace, stamp_ms + SKEW_MS * (at % 2), *more)

    return [Patch(Keyspace, "begin", begin)]


@mutant(
    "S14-late-retry-is-new",
    story="Whether a write is late is not asked: a copy that arrives after its session was "
    "forgotten is done as a new one.",
    seen="thesis 6.3, expiring sessions",
    caught_by=("late_session_write_refused",),
    scenario="K-X2",
)
def _late_retry_is_new() -> Patches:
    right = done_once

    def done_late(keyspace: Keyspace, command: Sequenced, rules: Any) -> Result:
        if command.deadline_ms <= keyspace.clock_ms:
            later = keyspace.clock_ms + 1_000
            command = msgspec.structs.replace(command, deadline_ms=later)
        return right(keyspace, command, rules)

    return [Patch(transactions, "done_once", done_late)]


@mutant(
    "S15-acknowledgement-dropped-too-early",
    story="With the answers that are acknowledged goes the note that they were, so a late copy of "
    "such a write is done again.",
    seen="MIT 6.824 servers that drop a client's entry with its last answer",
    caught_by=("session_write_done_once",),
    scenario="K-X2",
)
def _acknowledgement_dropped_too_early() -> Patches:
    right = Sessions.keep

    def keep(sessions: Sessions, place: bytes, *more: Any) -> None:
        right(sessions, place, *more)
        kept = sessions.record(place, 0)
        assert kept is not None, "it was kept just now"
        row = msgspec.msgpack.encode(msgspec.structs.replace(kept, ack=0))
        sessions._put(place, row)  # noqa: SLF001 - a mutant reaches where no caller may

    return [Patch(Sessions, "keep", keep)]


@mutant(
    "G12-session-write-runs-again",
    story="A client hears nothing and sends a write of its session again: nobody remembers that it "
    "was done, and it is done twice.",
    seen="Raft thesis 6.3",
    caught_by=("session_write_done_once", "retry_gets_first_answer"),
    scenario="K-X2",
)
def _session_write_runs_again() -> Patches:
    right = Sessions.record

    def record(sessions: Sessions, *where: Any) -> Any:
        found = right(sessions, *where)
        return None if found is None else msgspec.structs.replace(found, kept=())

    return [Patch(Sessions, "record", record)]


AGAIN: Final = _session_write_runs_again
LOCAL_CLOCK: Final = _expiry_by_the_local_clock
LATE: Final = _late_retry_is_new
ACKNOWLEDGED: Final = _acknowledgement_dropped_too_early
"""By what is wrong: the lists of families G and S have them at their lines."""
