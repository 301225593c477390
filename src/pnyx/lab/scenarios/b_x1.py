"""B-X1: what everybody writes first: a primary that answers reads by itself.

It trusts the view that it was told last. Cut off, it answers what was true then: a value that was
overwritten since by the next primary. The scenario passes if the judge of histories finds that, and
shows the sentence.
"""

from pnyx.lab.history import History
from pnyx.lab.lessons.backup import SPOKEN, make_trusting
from pnyx.lab.lessons.backupjudge import BackupJudge
from pnyx.lab.lessons.stage import Lesson, LessonStage
from pnyx.lab.scenario import Script, Until
from pnyx.lab.scenarios.understudies import (
    VIEW_US,
    Client,
    backup_scenario,
    judged,
    settled,
    view_of,
)

TRUSTING = Lesson(
    "primary-backup",
    "the same, and reads are answered by the primary alone",
    make_trusting,
    SPOKEN,
    BackupJudge,
)


@backup_scenario(
    "B-X1",
    "TestPartition1, upside down",
    about="a primary that answers reads alone tells the past; the judge sees it",
    servers=3,
    lesson=TRUSTING,
)
def trusting_primary(stage: LessonStage) -> Script:
    """The primary is alone on its side, with a client that knows no newer view."""
    yield from settled(stage)
    history = History("kv-append", "")
    near, far = Client(stage, history), Client(stage, history)
    yield from near.ask("put", b"k", b"old")
    old = view_of(stage).primary
    stage.partition((old,), tuple(number for number in stage.numbers if number != old))
    yield Until(lambda: view_of(stage).primary != old, VIEW_US)
    yield from far.ask("put", b"k", b"new")
    yield from near.get(b"k")
    why = judged(stage, history)
    stage.check(bool(why), "no primary was stale: this shows nothing")
    stage.explained += [f"expected: n{old}, alone, answered without its backup", *why]
