"""Many instances, all peers propose, few at a time (P-11, P-13)."""

from functools import partial
from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Until
from pnyx.lab.scenarios.decrees import WAIT_US, decided, deciders, start

COUNT: Final = 49


def many(stage: LessonStage, at_once: int) -> Script:
    """Start the next one when fewer than `at_once` are open."""
    for seq in range(1, COUNT + 1):
        yield Until(partial(_is_room, stage, seq, at_once), WAIT_US)
        for number in stage.numbers:
            start(stage, number, seq, b"%d" % (seq * 10 + number))
    yield from decided(stage, range(1, COUNT + 1))


def _is_room(stage: LessonStage, below: int, at_once: int) -> bool:
    is_open = [seq for seq in range(1, below) if len(deciders(stage, seq)) < stage.nodes]
    return len(is_open) < at_once
