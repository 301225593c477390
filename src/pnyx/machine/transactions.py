"""Several commands as one: MULTI ... EXEC, with what WATCH remembered.

All commands of a transaction stand in one entry, so nothing comes between them. One that is
refused leaves the others' effects alone: Redis does not roll back, and clients count on it. So are
those refused that come when it has looked at too much: they cannot be told LATER.
"""

from typing import Final

from pnyx.machine import bitfields, bits, commands as c, expiry, kv, scan, strings, versions
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.machine import Machine, Rules
from pnyx.machine.once import done_once
from pnyx.machine.results import NULL_ARRAY, Refusal, Result, Values
from pnyx.machine.versions import revision_at

TRANSACTION_LOOKED_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of rows that one transaction looks at and values that it makes: 16,384 commands that make 4 MiB
each would be the end of all replicas' memory, and again whenever the log is replayed."""
TRANSACTION_REFUSED: Final = Refusal(
    "ERR PX0201 the commands of this transaction before this one had looked at, or made, more than "
    f"{TRANSACTION_LOOKED_BYTES_MAX} bytes of values; this one did nothing, use more transactions"
)


def _transact(keyspace: Keyspace, command: c.Transaction) -> Result:
    if any(revision_at(keyspace, key) != revision for key, revision in command.watched):
        return NULL_ARRAY
    bound = keyspace.looked_bytes + TRANSACTION_LOOKED_BYTES_MAX
    results = [
        _INSIDE[type(each)](keyspace, each)
        if keyspace.looked_bytes <= bound
        else TRANSACTION_REFUSED
        for each in command.commands
    ]
    return Values(tuple(results))


def _once(keyspace: Keyspace, command: c.Sequenced) -> Result:
    return done_once(keyspace, command, _ALONE)


READS: Final = Rules(
    strings.READS,
    bits.READS,
    bitfields.READS,
    kv.READS,
    expiry.READS,
    scan.READS,
    versions.READS,
)
"""What may be answered from applied state."""

_INSIDE: Final = Rules(
    READS,
    strings.WRITES,
    bits.WRITES,
    bitfields.WRITES,
    kv.WRITES,
    expiry.WRITES,
    versions.WRITES,
)

_ALONE: Final = Rules(_INSIDE, {c.Transaction: _transact})

COMMANDS: Final = Rules(_ALONE, {c.Sequenced: _once})
"""What an entry may hold: all of machine/commands.py. A transaction holds no transaction, and
one done once holds no other."""

KEYS: Final = Machine("keys", COMMANDS, READS)
"""The key-value machine."""
