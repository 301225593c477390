"""W-2: the first backup."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.views import primary_and_backup, view_scenario


@view_scenario("W-2", about="a second server becomes backup in view 2")
def first_backup(stage: LessonStage) -> Script:
    """The primary has said that it acts in view 1."""
    yield from primary_and_backup(stage, 2)
