"""A controller on a space in memory, told one directive an entry, as the tests of it need it."""

from machine.driving import GROUP, LIMIT_BYTES, START_MS, pair
from pnyx.ids import GroupId, NodeId, ShardId
from pnyx.machine.commands import Batch
from pnyx.machine.configuration import (
    Configuration,
    Directory,
    Member,
    Placement,
    decode_configuration,
    decode_directory,
)
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import (
    AnyDirective,
    Found,
    Join,
    Leave,
    Move,
    MoveCommitted,
    Query,
    Whereabouts,
)
from pnyx.machine.group import Group
from pnyx.machine.results import OK, Refusal, Result
from pnyx.machine.space import Space
from pnyx.storage.memory import MemorySpace


def placed(*groups: int, nodes: str = "abc") -> tuple[Placement, ...]:
    """Return groups with three nodes each, none of them shared."""
    return tuple(
        Placement(
            GroupId(group),
            tuple(
                Member(f"{group}{node}", f"{group}{node}:7000", NodeId(10 * group + number))
                for number, node in enumerate(nodes, start=1)
            ),
        )
        for group in groups
    )


class Controller:
    """Every call is one entry, or one read of the applied state."""

    def __init__(self, shard_count: int = 10, space: Space | None = None) -> None:
        self.space: Space = MemorySpace() if space is None else space
        self.group = Group(self.space, GROUP, CONTROLLER)
        if shard_count:
            self.tell(Found(shard_count))

    def tell(self, directive: AnyDirective) -> Result:
        index = self.group.applied.index + 1
        return self.group.apply([pair(index, Batch(START_MS, LIMIT_BYTES, (directive,)))])[0][0]

    def ask(self, directive: AnyDirective) -> Result:
        results = self.group.read((directive,), START_MS)
        assert results is not None
        return results[0]

    def refusal(self, directive: AnyDirective) -> str:
        """Tell what is refused; check that nothing changed, and return why."""
        before = (self.newest, self.directory)
        result = self.tell(directive)
        assert isinstance(result, Refusal)
        assert (self.newest, self.directory) == before
        return result.text

    def made(self, directive: AnyDirective) -> Configuration:
        """Tell what makes a configuration, and return it."""
        number = self.newest.number
        result = self.tell(directive)
        assert isinstance(result, bytes), result
        configuration = decode_configuration(result)
        assert configuration == self.newest
        assert configuration.number == number + 1
        return configuration

    def join(self, *groups: int) -> Configuration:
        return self.made(Join(placed(*groups)))

    def leave(self, *groups: int) -> Configuration:
        return self.made(Leave(tuple(GroupId(group) for group in groups)))

    def move(self, shard: int, group: int) -> Configuration:
        return self.made(Move(ShardId(shard), GroupId(group)))

    def number(self, number: int) -> Configuration:
        result = self.ask(Query(number))
        assert isinstance(result, bytes), result
        return decode_configuration(result)

    @property
    def newest(self) -> Configuration:
        return self.number(-1)

    @property
    def directory(self) -> Directory:
        result = self.ask(Whereabouts())
        assert isinstance(result, bytes), result
        return decode_directory(result)

    def carry_out(self) -> int:
        """End every move well, as groups would report it; return how many there were."""
        count = 0
        while undecided := self.directory.undecided():
            for shard, serving in undecided:
                epoch = serving.epoch + 1
                report = MoveCommitted(shard, epoch, serving.destination)  # type: ignore[arg-type]
                assert self.tell(report) == OK
                count += 1
        return count


def loads(configuration: Configuration) -> list[int]:
    """Return how many shards each group has, by group."""
    return [configuration.targets.count(group) for group in configuration.groups]
