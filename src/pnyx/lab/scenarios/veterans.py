"""The shard tests of 2015: T-1 to T-5, and D-1 to D-5, the same while replicas are killed.

There, groups ran Paxos; here the run says which engine they have. A replica of a D-* scenario that
is killed comes back, in turn with its disk and without. Who has lost it is another node, which the
group puts in the old one's place once it holds the log.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from pnyx.lab.scenario import Scenario, Script, Sleep, Step, Until
from pnyx.lab.scenarios.clerks import Clerk, Notes
from pnyx.lab.scenarios.fleet import (
    CLASSROOM,
    LOSSY,
    Fleet,
    fleet_scenario,
    keys_by_shard,
    manned,
)
from pnyx.lab.stage import WorldStage
from pnyx.replica.limits import ReplicaLimits

KEYS: Final = 10
CALM_US: Final = 1_000_000
DOWN_US: Final = 300_000
SILENT_US: Final = 2_000_000
"""How long the old id of a lost disk must have been silent; 30 s is X-E4's business."""
SLACK_US: Final = 3_000_000
"""An election if it led, a newcomer's question a second, the log, and the change."""
REPLACED_US: Final = SILENT_US + SLACK_US
DISKS: Final = ReplicaLimits(replace_silent_ms=SILENT_US // 1_000)
LOSSY_DISKS: Final = ReplicaLimits(
    outcome_ms=LOSSY.outcome_ms, replace_silent_ms=SILENT_US // 1_000
)


@dataclass(slots=True, eq=False)
class Hurts:
    """What becomes of replicas between the steps of a script: nothing."""

    fleet: Fleet

    def each(self, *groups: int) -> Script:
        """Hurt one replica of each of these groups."""
        yield from ()


@dataclass(slots=True, eq=False)
class Kills(Hurts):
    """kill -9: the first time with its disk kept, the second time lost, and so on."""

    turns: Iterator[int] = field(default_factory=count)

    def each(self, *groups: int) -> Script:
        """Kill one of each; return when those that lost their disk have their places again."""
        stage, turn = self.fleet.stage, next(self.turns)
        victims = {group: self._victim(group, turn) for group in groups}
        for node in victims.values():
            if turn % 2:
                stage.world.wipe(node)
            else:
                stage.world.crash(node, power=False)
        yield Sleep(DOWN_US)
        for node in victims.values():
            stage.restart(node)
        if turn % 2:
            yield from replaced(self.fleet, victims)

    def _victim(self, group: int, turn: int) -> int:
        nodes = self.fleet.nodes(group)
        return nodes[(group + turn) % len(nodes)]


def veteran(
    identifier: str, test: str, *, about: str, **more: Any
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make the decorated script a scenario of three groups of three, and three controllers."""
    lab = "5 (diskv)" if identifier.startswith("D-") else "4B (shardkv)"
    if identifier.startswith("D-"):
        more.setdefault("limits", LOSSY_DISKS if more.get("unreliable") else DISKS)
    return fleet_scenario(
        identifier, about=about, source=f"MIT 6.824 2015, lab {lab}, {test}", **more
    )


def begun(stage: WorldStage) -> Generator[Step, Any, tuple[Fleet, Notes]]:
    """Let the first group join, and have ten keys put."""
    fleet = yield from manned(stage)
    yield from fleet.join(CLASSROOM[0])
    notes = Notes(Clerk(fleet, "client"), keys_by_shard(KEYS, fleet.layout.shards))
    yield from notes.put_all()
    return fleet, notes


def rewritten(notes: Notes) -> Script:
    """Every key is what was put last, and is put anew."""
    yield from notes.check()
    yield from notes.put_all()


def replaced(fleet: Fleet, lost: Mapping[int, int]) -> Script:
    """Wait until each group counts the node that lost its disk again, under its new id."""
    stage, began_us = fleet.stage, fleet.stage.now_us
    yield Until(
        lambda: all(_is_voter(fleet, group, node) for group, node in lost.items()),
        2 * REPLACED_US,
    )
    took_us = stage.now_us - began_us
    stage.budget("us until lost disks are replaced", took_us, REPLACED_US)


def _is_voter(fleet: Fleet, group: int, node: int) -> bool:
    leader = fleet.leader(group)
    if leader is None:
        return False
    members = fleet.engines(group)[leader].membership
    return fleet.stage.process(node).node in members.voters and not members.outgoing
