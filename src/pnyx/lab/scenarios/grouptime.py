"""What the scenarios of clocks share: keys that expire, and a look at the group's time."""

from dataclasses import dataclass, field
from typing import Final

from pnyx.lab.clock import EPOCH_US
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.load import Load, over
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get
from pnyx.replica.requests import Done

YEAR_US: Final = 365 * 24 * 3_600 * 1_000_000
HOUR_MS: Final = 3_600_000
LOOK_US: Final = 10_000


@dataclass(slots=True)
class GroupTime:
    """The committed clock, as every member shows it; `watch` runs beside the script."""

    stage: WorldStage
    is_over: bool = False
    ahead_ms_max: int = 0
    """Ahead of the time that really passed, at most."""
    shown: dict[tuple[int, int], int] = field(default_factory=dict)
    """By node and life: a node that starts again applies again what it had not flushed."""

    def watch(self) -> Script:
        """Look again and again: no member's clock goes back."""
        stage = self.stage
        while not self.is_over:
            for node in sorted(stage.world.processes):
                process = stage.process(node)
                if process.replica is None:
                    continue
                clock_ms, where = process.replica.group.clock_ms, (node, process.life)
                before_ms = self.shown.get(where, 0)
                stage.check(
                    clock_ms >= before_ms,
                    f"the time of n{node} went back from {before_ms} to {clock_ms}",
                )
                self.shown[where] = clock_ms
                true_ms = (EPOCH_US + stage.now_us) // 1_000
                self.ahead_ms_max = max(self.ahead_ms_max, clock_ms - true_ms)
            yield Sleep(LOOK_US)


def watched(stage: WorldStage) -> GroupTime:
    """Begin to watch the group's time."""
    time = GroupTime(stage)
    stage.spawn(time.watch())
    return time


def keys_are_there(load: Load, nodes: tuple[int, ...], keys: list[bytes]) -> Script:
    """Fail unless every node reads all `keys`."""
    stage = load.stage
    for node in nodes:
        read = load.ask(node, *(Get(key) for key in keys))
        yield over(read)
        held = read.answer.results if isinstance(read.answer, Done) else ()
        stage.check(
            len(held) == len(keys) and None not in held,
            f"n{node} read {held}: keys that expire in an hour are gone",
        )


def gone(load: Load, node: int, key: bytes, within_us: int) -> Script:
    """Wait until `key` has expired, at most so long; the time counts as used."""
    stage, began_us = load.stage, load.stage.now_us
    while stage.now_us - began_us < within_us:
        read = load.ask(node, Get(key))
        yield over(read)
        if read.answer == Done((None,)):
            break
        yield Sleep(LOOK_US)
    stage.budget("us until a key of a second is gone", stage.now_us - began_us, within_us)
