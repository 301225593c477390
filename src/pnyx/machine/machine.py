"""What a group runs: which commands it knows, and the rule of each, as data.

All machines keep their state in a `Keyspace`, so that one `Group` makes any of them durable,
streams it and takes it over. There are three: `KEYS` (transactions.py) for what clients store,
`SHARDS` (moving.py) for the same when several groups share it, and `CONTROLLER` (controller.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pnyx.machine.keyspace import Keyspace
from pnyx.machine.results import Refusal, Result

Rule: TypeAlias = Callable[[Keyspace, Any], Result]

ELSEWHERE: Final = Refusal("ERR this group does not know that command: nothing was done")


def _refuse(_keyspace: Keyspace, _command: Any) -> Result:
    return ELSEWHERE


class Rules(dict[type[Any], Rule]):
    """A rule by type of command.

    A command of another machine is refused where it is applied: an entry that holds one must not
    stop the replicas of a group one after the other.
    """

    def __init__(self, *tables: Mapping[type[Any], Rule]) -> None:
        super().__init__()
        for table in tables:
            self.update(table)

    def __missing__(self, kind: type[Any]) -> Rule:
        return _refuse


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """One kind of group."""

    name: str
    commands: Rules
    """What an entry may hold."""
    reads: Rules
    """What may be answered from applied state."""
    divided: bool = False
    """Has such a group only some of the shards (holdings.py)? Else it has the whole keyspace."""
