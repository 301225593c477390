"""H-12: a change that needs a group which is down ends when that is back, not before."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.fleet import Fleet, manned
from pnyx.lab.scenarios.sixty import sixty, sixty_scenario
from pnyx.lab.stage import WorldStage

DOWN_US: Final = 2_000_000
BACK_US: Final = 2_000_000
ELECTIONS_US: Final = 1_000_000


@sixty_scenario(
    "H-12",
    2,
    about="a join and a leave that need a group which is down end within 2 s of its coming back",
    source="TestJoinLeave5B",
)
def join_leave(stage: WorldStage) -> Script:
    """Join from a dead group; leave to a dead group."""
    fleet = yield from manned(stage)
    before = yield from fleet.join(1)
    notes = sixty(fleet)
    yield from notes.put_all()
    yield from _waits(fleet, 1, fleet.joined(2))
    newest = yield from fleet.operator.query()
    stage.check(newest.number == before.number + 1, f"{newest.number} follows {before.number}")
    yield from notes.check()
    yield from _waits(fleet, 2, fleet.left(1))
    yield from notes.check()


def _waits(fleet: Fleet, down: int, change: Script) -> Script:
    stage, over = fleet.stage, [False]
    fleet.shut(down)
    stage.spawn(_until(change, over))
    yield Sleep(DOWN_US)
    stage.check(not over[0], f"a change that needs group {down} was over while that was down")
    fleet.start(down)
    began_us = stage.now_us
    yield Until(lambda: over[0], ELECTIONS_US + BACK_US)
    stage.check(over[0], f"the change was not over soon after group {down} came back")
    spent_s = (stage.now_us - began_us) / 1e6
    stage.budget("s, elections included, to end a change", spent_s, (ELECTIONS_US + BACK_US) / 1e6)


def _until(change: Script, over: list[bool]) -> Script:
    yield from change
    over[0] = True
