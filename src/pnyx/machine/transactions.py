"""Several commands as one: MULTI ... EXEC, with what WATCH remembered.

All commands of a transaction stand in one entry, so nothing comes between them. One that is
refused leaves the others' effects alone: Redis does not roll back, and clients count on it.
"""

from typing import Final

from pnyx.machine import bitfields, bits, commands as c, expiry, kv, scan, strings
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.machine import Machine, Rules
from pnyx.machine.results import NULL_ARRAY, Result, Values


def _revisions(keyspace: Keyspace, command: c.Revisions) -> Result:
    return Values(tuple([_revision(keyspace, key) for key in command.keys]))


def _transact(keyspace: Keyspace, command: c.Transaction) -> Result:
    if any(_revision(keyspace, key) != revision for key, revision in command.watched):
        return NULL_ARRAY
    return Values(tuple([_INSIDE[type(each)](keyspace, each) for each in command.commands]))


def _revision(keyspace: Keyspace, key: bytes) -> int:
    record = keyspace.record(key)
    return 0 if record is None else record.revision


READS: Final = Rules(
    strings.READS,
    bits.READS,
    bitfields.READS,
    kv.READS,
    expiry.READS,
    scan.READS,
    {c.Revisions: _revisions},
)
"""What may be answered from applied state."""

_INSIDE: Final = Rules(
    READS, strings.WRITES, bits.WRITES, bitfields.WRITES, kv.WRITES, expiry.WRITES
)

COMMANDS: Final = Rules(_INSIDE, {c.Transaction: _transact})
"""What an entry may hold: all of machine/commands.py. A transaction holds no transaction."""

KEYS: Final = Machine("keys", COMMANDS, READS)
"""The key-value machine."""
