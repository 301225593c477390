"""A write in a session: done at most once, and answered again (rules in machine/sessions.py)."""

from typing import Final

from pnyx.machine.commands import Sequenced
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.machine import Rules
from pnyx.machine.results import Refusal, Result
from pnyx.machine.sessions import DEADLINE_AHEAD_MS_MAX, WINDOW

DEADLINE_PASSED: Final = Refusal(
    "UNKNOWN PX0206 the deadline of this session write has passed: it was not done now and will "
    "not be, but an earlier attempt may have been; look before you write again"
)
ACKNOWLEDGED: Final = Refusal(
    "UNKNOWN PX0207 this sequence was acknowledged: it was not done now, and what became of an "
    "earlier attempt is forgotten; look before you write again"
)
WINDOW_OVERFLOW: Final = Refusal(
    f"ERR PX0208 the sequence is more than {WINDOW} above the acknowledged one; nothing was done, "
    "acknowledge answers first"
)
DEADLINE_TOO_FAR: Final = Refusal(
    f"ERR PX0209 the deadline lies more than {DEADLINE_AHEAD_MS_MAX} ms ahead of the committed "
    "clock; nothing was done, ask PNYX.CLOCK for the time"
)
OTHER_USER: Final = Refusal("NOPERM PX0211 the session belongs to another user; nothing was done")
REUSED: Final = Refusal(
    "ERR PX0212 the sequence was used for another command; this one was not done, give it a "
    "sequence of its own"
)


def done_once(keyspace: Keyspace, command: Sequenced, rules: Rules) -> Result:
    """Return the answer of the write: its first one, or that of its rule, or why there is none."""
    clock_ms = keyspace.clock_ms
    deadline_ms = command.deadline_ms
    if deadline_ms <= clock_ms:
        return DEADLINE_PASSED
    sessions = keyspace.sessions
    place = sessions.place(command.slot, command.session)
    record = sessions.record(place, clock_ms)
    sequence, ack = command.sequence, command.ack
    if record is not None:
        if record.user != command.user:
            return OTHER_USER
        for kept in record.kept:
            if kept.sequence == sequence:
                return sessions.answer(place, kept) if kept.digest == command.digest else REUSED
    if record is not None and record.ack > ack:
        # A copy that was long on its way acknowledges less than is known by now.
        ack = record.ack
    if not ack < sequence <= ack + WINDOW or deadline_ms - clock_ms > DEADLINE_AHEAD_MS_MAX:
        return _refusal(sequence, ack)
    if record is None and (full := sessions.refusal(place, command.user)) is not None:
        return full
    write = command.command
    result = rules[type(write)](keyspace, write)
    sessions.keep(place, record, command, ack, result)
    return result


def _refusal(sequence: int, ack: int) -> Refusal:
    if sequence <= ack:
        return ACKNOWLEDGED
    return WINDOW_OVERFLOW if sequence > ack + WINDOW else DEADLINE_TOO_FAR
