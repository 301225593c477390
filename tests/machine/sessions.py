"""A client of the machine with a session: what the tests of sessions send."""

from xxhash import xxh3_64_intdigest

from machine.driving import START_MS
from pnyx.machine import commands as c
from pnyx.machine.slots import slot_of

SESSION = bytes(range(16))
DEADLINE_MS = START_MS + 60_000


def once(
    sequence: int,
    command: c.AnyCommand,
    *,
    ack: int = 0,
    session: bytes = SESSION,
    user: bytes = b"default",
    deadline_ms: int = DEADLINE_MS,
    key: bytes = b"k",
) -> c.Sequenced:
    """Return `command` as a session sends it; all that it is stands in its digest."""
    digest = xxh3_64_intdigest(repr(command).encode())
    return c.Sequenced(slot_of(key), session, user, sequence, ack, deadline_ms, digest, command)


INCREMENT = c.IncrBy(b"k", 1)
