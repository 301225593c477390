"""Faults that are drawn, for the lessons that are run without a plan."""

from typing import Final

from pnyx.lab.lessons.decreejudge import peer_of
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until

PAUSE_US: Final = 250_000
"""The longest time between two faults; a host is down for up to twice as long."""


def hurt(stage: LessonStage, lasts_us: int, pause_us: int = PAUSE_US) -> Script:
    """Partition, deafen, crash and wipe, and let links lose messages, for so long.

    At most one disk is lost at a time, and only while everybody else runs and remembers: more is
    beyond what any majority survives.
    """
    over_us = stage.now_us + lasts_us
    stage.reliable(reliable=bool(stage.below(2, "reliable")))
    while stage.now_us < over_us:
        number = 1 + stage.below(stage.nodes, "victim")
        match stage.below(6, "fault"):
            case 0 | 1:
                sides: tuple[list[int], list[int]] = ([], [])
                for each in stage.numbers:
                    sides[stage.below(2, "side")].append(each)
                stage.partition(*(tuple(side) for side in sides if side))
            case 2:
                stage.deafen(number)
            case 3:
                stage.spawn(_down(stage, number, pause_us, loses_disk=False))
            case 4 if _may_lose(stage, number):
                stage.spawn(_down(stage, number, pause_us, loses_disk=True))
            case _:
                stage.heal()
        yield Sleep(stage.below(pause_us, "time between faults"))
    yield Until(lambda: True, 1)


def mended(stage: LessonStage) -> Script:
    """Heal everything and let everybody run."""
    yield Sleep(3 * PAUSE_US)
    stage.heal()
    stage.reliable(reliable=True)
    stage.restart(*stage.numbers)


def _down(stage: LessonStage, number: int, pause_us: int, *, loses_disk: bool) -> Script:
    if loses_disk:
        stage.wipe(number)
    else:
        stage.crash(number)
    yield Sleep(stage.below(2 * pause_us, "down"))
    stage.restart(number)


def _may_lose(stage: LessonStage, number: int) -> bool:
    return (
        all(host.node is not None and peer_of(host).is_ready for host in stage.world.hosts.values())
        and number in stage.numbers
    )
