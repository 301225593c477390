"""One map of all keys, whichever group has them: what each write must answer, once.

It knows nothing of shards, logs or sessions' tables: what came first is remembered for ever, and a
write of a session that comes again must be answered as the first time.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from pnyx.machine.commands import AnyCommand, Append, Get, IncrBy, Sequenced, Set
from pnyx.machine.results import OK, Refusal, Result

_Name: TypeAlias = tuple[bytes, int]


@dataclass(slots=True)
class OneHistory:
    """Follows the writes that scenarios make; what else there is leaves its keys unknown."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    told: dict[_Name, Result] = field(default_factory=dict)
    """By session and sequence, the first answer."""
    unknown: set[bytes] = field(default_factory=set)
    repeated: bool = False
    """Was the last one told before?"""

    def add(self, command: AnyCommand, result: Result) -> str:
        """Do a command that a group has done; return what is wrong with its result, or nothing."""
        self.repeated = False
        if isinstance(result, Refusal):
            return ""
        if not isinstance(command, Sequenced):
            return self._do(command, result)
        name = (command.session, command.sequence)
        if name in self.told:
            self.repeated = True
            is_same = result == self.told[name]
            return "" if is_same else f"{command} was answered {self.told[name]!r}, now {result!r}"
        self.told[name] = result
        return self._do(command.command, result)

    def _do(self, command: AnyCommand, result: Result) -> str:
        match command:
            case Get(key):
                expected: Result = self.values.get(key)
            case Append(key, value):
                self.values[key] = self.values.get(key, b"") + value
                expected = len(self.values[key])
            case IncrBy(key, delta):
                self.values[key] = b"%d" % (int(self.values.get(key, b"0")) + delta)
                expected = int(self.values[key])
            case Set() if command == Set(command.key, command.value):
                self.values[command.key] = command.value
                self.unknown.discard(command.key)
                return "" if result == OK else f"{command} was answered {result!r}"
            case _:
                self.unknown.update(_keys_of(command))
                return ""
        key = command.key
        if key in self.unknown or result == expected:
            return ""
        return f"{command} was answered {result!r}, and all that was done before gives {expected!r}"


def _keys_of(command: AnyCommand) -> list[bytes]:
    named = getattr(command, "key", None)
    several = getattr(command, "keys", ())
    return [named] if isinstance(named, bytes) else list(several)
