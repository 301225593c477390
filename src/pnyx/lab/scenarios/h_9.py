"""H-9: shards that stay are read while others move."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.fleet import manned
from pnyx.lab.scenarios.sixty import on_five_groups, sixty_scenario
from pnyx.lab.stage import WorldStage

SPAN_US: Final = 4_000_000
GETS_MIN: Final = 100
GETS_MAX: Final = 400
PAUSE_US: Final = 200_000
THINK_US: Final = 10_000


@sixty_scenario(
    "H-9",
    6,
    about="while a sixth group joins and leaves, shards that stay give 100 reads in 4 s at least",
    source="TestProgressJoin5A",
)
def progress(stage: WorldStage) -> Script:
    """Only keys whose shards the sixth group never gets, on groups that give it some."""
    fleet = yield from manned(stage)
    notes = yield from on_five_groups(fleet)
    before = yield from fleet.operator.query()
    after = yield from fleet.join(6)
    yield from fleet.settled()
    yield from fleet.left(6)
    givers = {was for was, now in zip(before.targets, after.targets, strict=True) if was != now}
    stays = [
        was == now and was in givers for was, now in zip(before.targets, after.targets, strict=True)
    ]
    live = [key for at, key in enumerate(notes.keys) if stays[at % len(stays)]]
    stage.check(bool(live), "a group that gives a shard away keeps one")
    over = [False]
    stage.spawn(_churn(stage, over))
    began_us, count = stage.now_us, 0
    while stage.now_us - began_us < SPAN_US:
        yield from notes.check([live[count % len(live)]])
        count += 1
        yield Sleep(THINK_US)
    over[0] = True
    stage.budget("reads in 4 s of shards that stay", count, GETS_MAX, GETS_MIN)


def _churn(stage: WorldStage, over: list[bool]) -> Script:
    fleet = yield from manned(stage)
    while not over[0]:
        yield from fleet.joined(6)
        yield from fleet.left(6)
        yield Sleep(PAUSE_US)
