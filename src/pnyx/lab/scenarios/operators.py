"""Operators of a controller, and whoever carries out what it plans, for the scenarios of it.

There are no groups in these worlds but the controller itself: `Carrier` stands for them and reports
the end of each move, now and then a failed one, sometimes twice.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pnyx.ids import Epoch, GroupId, NodeId, ShardId
from pnyx.lab.configurations import Configurations, fewest_moves
from pnyx.lab.scenario import Scenario, Script, Sleep, Stage, Step, Until, scenario
from pnyx.lab.scenarios.clients import RETRY_US, Client, first_leader
from pnyx.lab.stage import WorldStage
from pnyx.machine.configuration import (
    NOBODY,
    Configuration,
    Directory,
    Member,
    Placement,
    decode_configuration,
    decode_directory,
    moved,
)
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import (
    AnyDirective,
    Change,
    Found,
    Join,
    Leave,
    Move,
    MoveCommitted,
    MoveFailed,
    Query,
    Vacated,
    Whereabouts,
)
from pnyx.machine.results import Refusal, Result

SHARDS: Final = 10
REPORT_US: Final = 5_000
SETTLE_US: Final = 30_000_000
_FAILS_OF: Final = 8
_DOUBLES_OF: Final = 4


@dataclass(slots=True, eq=False)
class Operator:
    """Somebody who changes configurations, one change at a time."""

    stage: Stage
    name: str
    lossy: bool = False
    among: tuple[int, ...] = ()
    """Which nodes it asks; all if empty."""
    shared: bool = False
    """May groups that join share nodes?"""
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        """Choose whom to ask first."""
        self.client = Client(self.stage, self.name, lossy=self.lossy, among=self.among)

    def placed(self, *groups: int) -> tuple[Placement, ...]:
        """Return where groups live."""
        return placements(*groups)

    def join(self, *groups: int) -> Generator[Step, Any, Configuration]:
        """Let groups join; return the newest configuration that has them."""
        change = Join(self.placed(*groups), shared=self.shared)
        return (yield from self._change(change, lambda newest: has_all(newest, groups)))

    def leave(self, *groups: int) -> Generator[Step, Any, Configuration]:
        """Let groups leave, waiting for moves of theirs; return the newest one without them."""
        change = Leave(tuple(GroupId(group) for group in groups))
        return (yield from self._change(change, lambda newest: has_none(newest, groups)))

    def move(self, shard: int, group: int) -> Generator[Step, Any, Configuration]:
        """Let a shard go to a group."""
        change = Move(ShardId(shard), GroupId(group))
        return (yield from self._change(change, lambda newest: newest.targets[shard] == group))

    def refused(self, change: Change) -> Generator[Step, Any, str]:
        """Ask for what cannot be, and return why not."""
        result, _ = yield from self.tell(change)
        self.stage.check(isinstance(result, Refusal), f"{change} was not refused: {result!r}")
        return result.text if isinstance(result, Refusal) else ""

    def query(self, number: int = -1) -> Generator[Step, Any, Configuration]:
        """Return a configuration."""
        results = yield from self.client.ask(Query(number))
        return decode_configuration(_told(results))

    def directory(self) -> Generator[Step, Any, Directory]:
        """Return who serves what."""
        results = yield from self.client.ask(Whereabouts())
        return decode_directory(_told(results))

    def tell(self, directive: AnyDirective) -> Generator[Step, Any, tuple[Result, bool]]:
        """Return the result of a directive, and whether an attempt before it may have had it."""
        unsure = False
        while True:
            results, is_known = yield from self.client.attempt((directive,))
            if results is not None:
                return results[0], unsure
            unsure = unsure or not is_known
            self.client.turn()
            yield Sleep(RETRY_US)

    def _change(
        self, change: Change, is_done: Callable[[Configuration], bool]
    ) -> Generator[Step, Any, Configuration]:
        unsure = False
        while True:
            result, was_unsure = yield from self.tell(change)
            unsure = unsure or was_unsure
            if isinstance(result, bytes):
                return decode_configuration(result)
            assert isinstance(result, Refusal), "a configuration or a refusal"
            if not result.text.startswith("MOVING "):
                # What was asked twice may be there already.
                newest = yield from self.query()
                self.stage.check(unsure and is_done(newest), f"{change}: {result.text}")
                return newest
            yield Sleep(RETRY_US)


@dataclass(slots=True, eq=False)
class Carrier:
    """All groups at once: reports what became of the moves."""

    operator: Operator
    stopped: bool = False
    reported: int = 0

    def run(self) -> Script:
        """Report until stopped."""
        stage = self.operator.stage
        while not self.stopped:
            directory = yield from self.operator.directory()
            for shard, serving in directory.undecided():
                report: MoveFailed | MoveCommitted
                if stage.below(_FAILS_OF, "failed move") == 0:
                    report = MoveFailed(shard, Epoch(serving.epoch + 2))
                else:
                    report = MoveCommitted(shard, Epoch(serving.epoch + 1), serving.destination)
                doubled = stage.below(_DOUBLES_OF, "doubled report") == 0
                for _ in range(1 + doubled):
                    result, _ = yield from self.operator.tell(report)
                    stage.check(not isinstance(result, Refusal), f"{report}: {result!r}")
                self.reported += 1
            yield Sleep(REPORT_US)


def controller_scenario(
    identifier: str, *, about: str, source: str, **more: Any
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make a script a scenario of three controller nodes that are judged as such."""
    return scenario(
        identifier,
        about=about,
        source=source,
        nodes=3,
        machine=CONTROLLER,
        prepare=lambda stage: stage.world.watches.add(Configurations()),
        **more,
    )


def founded(
    stage: WorldStage, shard_count: int = SHARDS, *, lossy: bool = False
) -> Generator[Step, Any, tuple[Operator, Carrier]]:
    """Found the shards, and let somebody carry out moves from now on."""
    yield from first_leader(stage)
    operator = Operator(stage, "operator", lossy)
    result, _ = yield from operator.tell(Found(shard_count))
    stage.check(isinstance(result, bytes), f"the founding gave {result!r}")
    carrier = Carrier(Operator(stage, "carrier"))
    stage.spawn(carrier.run())
    return operator, carrier


def settled(operator: Operator) -> Generator[Step, Any, Directory]:
    """Wait until no move is under way; return the directory, which is what the targets say."""
    stage, began_us = operator.stage, operator.stage.now_us
    while stage.now_us - began_us < SETTLE_US:
        directory = yield from operator.directory()
        if not directory.undecided():
            newest = yield from operator.query()
            serving = tuple(each.group for each in directory.shards)
            stage.check(
                serving == newest.targets or not newest.groups,
                f"nothing moves, and {serving} serve what {newest.targets} should",
            )
            return directory
        yield Sleep(REPORT_US)
    stage.check(False, f"moves were not over within {SETTLE_US / 1e6:g} s")
    raise AssertionError("checked")


def vacate(operator: Operator) -> Script:
    """Report of every shard that it held nothing and was given up."""
    directory = yield from settled(operator)
    for shard, serving in enumerate(directory.shards):
        yield from operator.tell(Vacated(ShardId(shard), Epoch(serving.epoch + 1)))


def check(stage: Stage, configuration: Configuration, groups: Sequence[int]) -> None:
    """What the classroom asks of a configuration: these groups, each shard with one, evenly."""
    stage.check(
        list(configuration.groups) == sorted(groups),
        f"the groups of {configuration} should be {sorted(groups)}",
    )
    owners = set(configuration.targets)
    allowed = set(configuration.groups) or {NOBODY}
    stage.check(owners <= allowed, f"{owners} own shards, {allowed} may")
    loads = [configuration.targets.count(group) for group in configuration.groups]
    stage.check(not loads or max(loads) - min(loads) <= 1, f"loads {loads} differ by more than one")


def count_moves(
    stage: Stage, before: Configuration, after: Configuration, *, allowed: int | None = None
) -> None:
    """Budget what a change moved: exactly the fewest, and no more than `allowed`."""
    fewest = fewest_moves(before.targets, after.groups)
    used = len(moved(before.targets, after.targets))
    name = f"moves from configuration {before.number} to {after.number}"
    stage.budget(name, used, fewest if allowed is None else allowed, fewest)


def placements(*groups: int) -> tuple[Placement, ...]:
    """Return groups of three nodes each."""
    return tuple(
        Placement(
            GroupId(group),
            tuple(
                Member(f"{group}.{node}", f"node-{group}-{node}:7000", NodeId(10 * group + number))
                for number, node in enumerate("xyz", start=1)
            ),
        )
        for group in groups
    )


def has_all(configuration: Configuration, groups: Sequence[int]) -> bool:
    """Are all of `groups` in it?"""
    return set(groups) <= set(configuration.groups)


def has_none(configuration: Configuration, groups: Sequence[int]) -> bool:
    """Is none of `groups` in it?"""
    return not set(groups) & set(configuration.groups)


def _told(results: Sequence[Result] | None) -> bytes:
    assert results is not None, "reads are known"
    assert isinstance(results[0], bytes), "it was founded"
    return results[0]


def all_over(ended: Sequence[bool]) -> Until:
    """Return the wait for everybody to have ended."""
    return Until(lambda: all(ended), SETTLE_US)
