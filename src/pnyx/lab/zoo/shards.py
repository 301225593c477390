"""Family S: who has which shard, what moves with it, and when things are forgotten."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pnyx.ids import GroupId
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant
from pnyx.machine import planning, rebalance
from pnyx.machine.configuration import Configuration
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.directives import Join, Leave
from pnyx.machine.keyspace import Keyspace
from pnyx.machine.results import Result

_NOT_MOVING: Final = "Shards do not move yet: a cluster has one group."
_NO_SESSIONS: Final = "No client of these runs uses sessions yet."


@mutant(
    "S9-rebalance-iterates-a-map",
    story="Ties go by the order of a hash map, which is another one in each process: replicas "
    "compute different configurations of one number.",
    seen="shard controllers of MIT 6.824, again and again: Go's maps",
    caught_by=("configurations_agree",),
    scenario="C-4",
)
def _rebalance_iterates_a_map() -> Patches:
    replicas: list[Keyspace] = []
    right, change = rebalance.rebalanced, CONTROLLER.commands[Join]

    def rebalanced(targets: Sequence[GroupId], groups: Sequence[GroupId]) -> tuple[GroupId, ...]:
        # Each replica has its own order: here its number turns it.
        ordered = sorted(groups)
        by = here[0] % max(len(ordered), 1)
        turned = dict(zip(ordered, [*ordered[by:], *ordered[:by]], strict=True))
        back = {new: old for old, new in turned.items()}
        after = right([turned.get(each, each) for each in targets], groups)
        return tuple([back.get(each, each) for each in after])

    here = [0]

    def changed(keyspace: Keyspace, command: Any) -> Result:
        if not any(each is keyspace for each in replicas):
            replicas.append(keyspace)
        here[0] = next(at for at, each in enumerate(replicas) if each is keyspace)
        return change(keyspace, command)

    return [
        Patch(planning, "rebalanced", rebalanced),
        Patch(CONTROLLER.commands, Join, changed),
        Patch(CONTROLLER.commands, Leave, changed),
    ]


@mutant(
    "S10-number-skipped",
    story="A leave counts twice: the configuration after 7 is 9, and whoever follows them one by "
    "one waits for 8.",
    seen="a hazard of the controller's counting: one effect, one number",
    caught_by=("configuration_numbers_without_gaps",),
    scenario="C-4",
)
def _number_skipped() -> Patches:
    right = planning._left  # noqa: SLF001 - a mutant reaches where no caller may

    def left(before: Configuration, groups: Sequence[GroupId]) -> Configuration:
        after = right(before, groups)
        return msgspec.structs.replace(after, number=after.number + 1)

    return [Patch(planning, "_left", left)]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    Absent("S1", "A request is checked when proposed and not when applied.", _NOT_MOVING),
    Absent("S2", "Sessions stay behind when a shard moves.", _NOT_MOVING),
    Absent("S3", "Effects are logged as operations.", _NOT_MOVING),
    Absent("S4", "The tail is applied before the last chunk.", _NOT_MOVING),
    Absent("S5", "A copy goes on from a newer view.", _NOT_MOVING),
    Absent("S6", "The old copy goes before the new owner's commit.", _NOT_MOVING),
    Absent("S7", "The old copy never goes on followers.", _NOT_MOVING),
    Absent("S8", "The source unfreezes on a time-out.", _NOT_MOVING),
    _rebalance_iterates_a_map,
    _number_skipped,
    Absent("S11", "One stalled shard stops the others.", _NOT_MOVING),
    Absent(
        "S12", "Expiry goes by the local clock.", "Time enters the machine with the entry only."
    ),
    Absent("S13", "A shard's clock stays behind when it moves.", _NOT_MOVING),
    Absent("S14", "A late retry of an expired session runs as new.", _NO_SESSIONS),
    Absent("S15", "What was acknowledged up to is dropped too early.", _NO_SESSIONS),
    Absent(
        "S16", "A stale directory overwrites a newer epoch.", "No node follows a directory yet."
    ),
)
