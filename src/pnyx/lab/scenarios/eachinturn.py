"""Each replica in turn is hurt and comes back up to date (D-7, D-10, D-11)."""

from collections.abc import Sequence
from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.servants import Clerk, equal_in_the_end

REST_US: Final = 1_000_000
KEYS: Final = 8


def each_in_turn(stage: LessonStage, numbers: Sequence[int], *, loses_disk: bool) -> Script:
    """Kill one, write, start it, write; then it alone is asked, with just enough others."""
    written: dict[bytes, bytes] = {}
    yield from _write(stage, written, 0)
    for turn, number in enumerate(numbers, start=1):
        if loses_disk:
            stage.wipe(number)
        else:
            stage.crash(number)
        yield from _write(stage, written, 10 * turn)
        stage.restart(number)
        yield from _write(stage, written, 10 * turn + 1)
        yield Sleep(REST_US)
        clerk = Clerk(stage, (number,))
        for key, value in written.items():
            found = yield from clerk.get(key)
            stage.check(found == value, f"n{number} says {found!r} under {key!r}, not {value!r}")
    yield from equal_in_the_end(stage, numbers)


def _write(stage: LessonStage, written: dict[bytes, bytes], turn: int) -> Script:
    clerk = Clerk(stage)
    for item in range(KEYS):
        key, token = b"k%d" % item, b"%d." % (turn * KEYS + item)
        yield from clerk.append(key, token)
        written[key] = written.get(key, b"") + token
