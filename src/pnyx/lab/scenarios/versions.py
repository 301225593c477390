"""Keys with versions, as MIT's key-value server has them, built on conditional sets.

Our store has no versioned put, so a client library keeps `version:value` under the key and replaces
it only if nobody else has (`Set` with EQUAL, or ABSENT for version 1). Versions of a key only grow,
so a comparand that was replaced never comes back, and a set that comes late changes nothing. That
makes it safe to repeat one of unknown outcome, which a plain set is not:

- `OK`: the put happened.
- `ErrVersion`, `ErrNoKey`: it did not happen; the key has another version, or is not there.
- `ErrMaybe`: it was repeated after an unknown outcome and found another version: it happened the
  first time, or it never will.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

from pnyx.lab.scenario import Step
from pnyx.lab.scenarios.clients import Client
from pnyx.machine.commands import Condition, Get, Set
from pnyx.machine.results import OK

DONE: Final = "OK"
ERR_VERSION: Final = "ErrVersion"
ERR_NO_KEY: Final = "ErrNoKey"
ERR_MAYBE: Final = "ErrMaybe"


@dataclass(frozen=True, slots=True)
class Versioned:
    """What a key holds."""

    value: bytes
    version: int
    """From 1; 0 if there is no such key."""

    @property
    def packed(self) -> bytes:
        """What stands in the store."""
        return b"%d:%b" % (self.version, self.value)


ABSENT: Final = Versioned(b"", 0)


def unpacked(stored: object) -> Versioned:
    """Return what `stored` stands for."""
    if not isinstance(stored, bytes):
        return ABSENT
    version, _, value = stored.partition(b":")
    return Versioned(value, int(version))


class VersionClient(Client):
    """A client that knows versions."""

    def read(self, key: bytes) -> Generator[Step, Any, Versioned]:
        """Return value and version of the key; `ABSENT` if there is none."""
        number = self._begin("get", key)
        found = yield from self._stored(key)
        told = (found.value, found.version) if found.version else ERR_NO_KEY
        self._end(number, known=True, value=told)
        return found

    def write(self, key: bytes, value: bytes, version: int) -> Generator[Step, Any, str]:
        """Replace `version` of the key; return `OK` or which error."""
        number = self._begin("put", key, value, version)
        told = yield from self._replace(key, value, version)
        self._end(number, known=True, value=told)
        return told

    def settle(self, key: bytes, value: bytes, version: int) -> Generator[Step, Any, bool]:
        """Write a value that nobody else writes, and return whether it did happen, surely."""
        told = yield from self.write(key, value, version)
        if told == ERR_MAYBE:
            found = yield from self.read(key)
            return found.value == value
        return told == DONE

    def _stored(self, key: bytes) -> Generator[Step, Any, Versioned]:
        results = yield from self.ask(Get(key))
        assert results is not None, "reads are known"
        return unpacked(results[0])

    def _replace(self, key: bytes, value: bytes, version: int) -> Generator[Step, Any, str]:
        refusal = ""
        while True:
            found = yield from self._stored(key)
            if found.version != version:
                return refusal or (ERR_VERSION if found.version else ERR_NO_KEY)
            condition = Condition.EQUAL if version else Condition.ABSENT
            comparand = found.packed if version else None
            packed = Versioned(value, version + 1).packed
            results = yield from self.ask(
                Set(key, packed, condition=condition, comparand=comparand)
            )
            if results is not None:
                return DONE if results[0] == OK else refusal or ERR_VERSION
            refusal = ERR_MAYBE
