"""H-8: two of five groups are shut; the others answer at once."""

from typing import Final

from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.fleet import manned
from pnyx.lab.scenarios.sixty import on_five_groups, sixty_scenario
from pnyx.lab.stage import WorldStage

GETS_S: Final = 2


@sixty_scenario(
    "H-8",
    5,
    about="with two of five groups down all keys of the others are read within 2 s",
    source="TestProgressShutdown5A",
)
def progress(stage: WorldStage) -> Script:
    """One client reads one key after the other."""
    fleet = yield from manned(stage)
    notes = yield from on_five_groups(fleet)
    yield from notes.check()
    directory = yield from fleet.operator.directory()
    shards = len(directory.shards)
    live = [
        key
        for at, key in enumerate(notes.keys)
        if directory.shards[at % shards].group not in {2, 3}
    ]
    fleet.shut(2, 3)
    began_us = stage.now_us
    yield from notes.check(live)
    spent_s = (stage.now_us - began_us) / 1e6
    stage.budget(f"s for {len(live)} reads on three of five groups", spent_s, GETS_S)
