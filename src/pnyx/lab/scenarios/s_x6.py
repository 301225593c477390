"""S-X6: groups join, leave and lose shards to each other under faults that the seed draws."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pnyx.lab import faults
from pnyx.lab.chance import Chance
from pnyx.lab.families import Frame, families
from pnyx.lab.faults import LEADER, Fault, FaultKind
from pnyx.lab.layout import apart, together
from pnyx.lab.network import RELIABLE, Profile
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.clerks import Clerk
from pnyx.lab.scenarios.fleet import CLASSROOM, Fleet, fleet_scenario, keys_by_shard, manned
from pnyx.lab.stage import WorldStage
from pnyx.lab.timeline import NOWHERE
from pnyx.replica.limits import MigrationLimits
from pnyx.replica.roster import CONTROL

SHARDS: Final = 6
KEYS: Final = 2
"""Of each clerk in each shard."""
END_US: Final = 60_000_000
SPARED: Final = frozenset(
    {
        FaultKind.TRANSFER,
        FaultKind.MEMBERS,
        FaultKind.BURST,
        FaultKind.MIDSTREAM,
        FaultKind.ROT,
        FaultKind.WIPE,
        FaultKind.BAD_DISK,
        FaultKind.FULL_DISK,
        FaultKind.JUMP,
    }
)
"""Of one group's leader or members, which are many here; or beyond what a group of three survives
when each group has its own minority; or, two clocks at a time, a group's time itself."""


def drawn(seed: int) -> dict[str, Any]:
    """Return what of the scenario is another thing with each seed."""
    chance = Chance(seed)
    groups = CLASSROOM[: 2 + chance.below(2, "groups")]
    if chance.hit(0.6, "on the same nodes"):
        layout = together(groups, shards=SHARDS, nodes=3 + 2 * chance.below(2, "nodes"))
    else:
        layout = apart(groups, shards=SHARDS)
    profile = RELIABLE
    if chance.hit(0.5, "bad links"):
        rate = chance.log_uniform(0.001, 0.1, "bad links")
        profile = Profile(jitter_us=2_000, loss=rate, duplicate=2 * rate, replay=rate)
    return {
        "layout": layout,
        "nodes": layout.nodes,
        "profile": profile,
        "unreliable": profile is not RELIABLE,
        "compact_bytes": int(chance.log_uniform(300, 50_000, "compact")),
        "migration": MigrationLimits(
            moves=1 + chance.below(4, "moves"),
            chunk_bytes=int(chance.log_uniform(150, 10_000, "chunk")),
            chunks_a_look=1 + chance.below(4, "look"),
            freeze_bytes=int(chance.log_uniform(1_000, 20_000, "freeze")),
            forget_bytes=int(chance.log_uniform(100, 10_000, "forget")),
            rate_bytes_s=int(chance.log_uniform(500, 50_000, "rate"))
            if chance.hit(0.3, "rated")
            else 0,
        ),
    }


@dataclass(slots=True)
class _Run:
    fleet: Fleet
    chance: Chance
    over: bool = False
    working: list[str] = field(default_factory=list)
    told: dict[bytes, int] = field(default_factory=dict)
    """By key, the last sum."""

    def count(self, number: int) -> Script:
        """Increment keys of all shards."""
        stage, name = self.fleet.stage, f"clerk {number}"
        clerk = Clerk(self.fleet, name)
        keys = keys_by_shard(SHARDS * KEYS, SHARDS, name=b"%d." % number)
        think_us = int(self.chance.log_uniform(5_000, 100_000, "think", number))
        self.working.append(name)
        while not self.over:
            key = keys[stage.below(len(keys), f"key of {name}")]
            told = yield from clerk.add(key)
            self.told[key] = self.told.get(key, 0) + 1
            stage.check(told == self.told[key], f"{key!r}: {told} for {self.told[key]}")
            yield Sleep(think_us)
        self.working.remove(name)

    def operate(self) -> Script:
        """Let groups join and leave, and shards move."""
        fleet, chance = self.fleet, self.chance
        pause_us = chance.log_uniform(50_000, 1_500_000, "pause")
        self.working.append("the operator")
        turn = 0
        while not self.over:
            turn += 1
            newest = yield from fleet.operator.query()
            present = [int(group) for group in newest.groups]
            absent = [group for group in fleet.layout.groups if group not in present]
            group = present[chance.below(len(present), "whose", turn)]
            match chance.below(4, "change", turn):
                case 0 if absent:
                    yield from fleet.join(absent[0])
                case 1 if len(present) > 1:
                    yield from fleet.leave(group)
                case _:
                    yield from fleet.operator.move(chance.below(SHARDS, "which", turn), group)
            yield Sleep(int(chance.exponential(pause_us, "pause", turn)))
        self.working.remove("the operator")

    def hurt(self, safety_us: int) -> None:
        """Let faults happen from now on."""
        world = self.fleet.stage.world
        drawn = families(self.chance, Frame(self.fleet.layout.nodes, safety_us), SPARED)
        for number, fault in enumerate(drawn):
            world.timeline.after_us(
                fault.at_us, f"fault {fault.kind}", NOWHERE, self._begin, fault, number
            )

    def _begin(self, fault: Fault, number: int) -> None:
        groups = (CONTROL, *self.fleet.layout.groups)
        leader = self.fleet.leader(groups[self.chance.below(len(groups), "leader of", number)])
        nodes = tuple([leader or 1 if node == LEADER else node for node in fault.nodes])
        world = self.fleet.stage.world
        if not world.frozen and len(set(nodes)) == len(nodes):
            faults.begin(world, msgspec.structs.replace(fault, nodes=nodes))


@fleet_scenario(
    "S-X6",
    about="whatever is drawn, all shards arrive and each increment is there once",
    source="sharding: the swarm of many groups",
    layout=together(CLASSROOM, shards=SHARDS),
    drawn=drawn,
)
def whatever_is_drawn(stage: WorldStage) -> Script:
    """First anything goes; then all is healed, and everything must be over soon."""
    fleet = yield from manned(stage)
    run = _Run(fleet, Chance(stage.seed))
    groups = list(fleet.layout.groups)
    yield from fleet.joined(*groups[: 1 + run.chance.below(len(groups), "first")])
    for number in range(1 + run.chance.below(3, "clerks")):
        stage.spawn(run.count(number))
    stage.spawn(run.operate())
    safety_us = int(run.chance.log_uniform(1_500_000, 6_000_000, "duration"))
    run.hurt(safety_us)
    yield Sleep(safety_us)
    faults.mend_all(stage.world, sorted(stage.world.processes))
    run.over = True
    yield Until(lambda: not run.working, END_US)
    stage.check(not run.working, f"{', '.join(run.working)} waits for an answer")
    yield from fleet.settled()
    last = Clerk(fleet, "last")
    for key, told in run.told.items():
        value = yield from last.get(key)
        stage.check(value == b"%d" % told, f"{key!r} was counted {told} times and is {value!r}")
