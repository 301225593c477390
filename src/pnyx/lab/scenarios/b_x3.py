"""B-X3: the view service loses its memory while the primary is on the other side: two primaries.

Nothing in the servers is wrong. The one host that decides has forgotten what it decided, and makes
the first server that it hears primary of view 1 once more, an empty one. The old primary and its
backup, cut off, go on in a view of a higher number. Two clients are told two pasts.
"""

from pnyx.lab.history import History
from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Until
from pnyx.lab.scenarios.understudies import (
    VIEW_US,
    Client,
    backup_scenario,
    judged,
    only,
    settled,
    view_of,
)


@backup_scenario(
    "B-X3",
    "none: what the lab leaves out",
    about="a view service that forgets makes a second primary; the judge sees it",
    servers=3,
    prepare=only(2, 3, of=3),
)
def forgetful_view_service(stage: LessonStage) -> Script:
    """Primary and backup on one side; the view service and an empty server on the other."""
    yield from settled(stage)
    history = History("kv-append", "")
    near, far = Client(stage, history), Client(stage, history)
    yield from near.ask("put", b"k", b"old")
    view = view_of(stage)
    empty = 4
    stage.partition((view.primary, view.backup), (1, empty))
    stage.crash(1)
    stage.restart(1, empty)
    yield Until(lambda: view_of(stage).primary == empty, VIEW_US)
    yield from far.get(b"k")
    yield from near.ask("append", b"k", b"er")
    yield from near.get(b"k")
    why = judged(stage, history)
    stage.check(bool(why), "there were no two primaries: this shows nothing")
    stage.explained += [
        f"expected: n{empty} is primary of view 1 and n{view.primary} of view {view.number}",
        *why,
    ]
