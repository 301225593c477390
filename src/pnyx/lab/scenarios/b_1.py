"""B-1: one primary, a backup, a takeover; and a new server with nothing never serves."""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.understudies import (
    VIEW_US,
    Client,
    backup_scenario,
    only,
    settled,
    view_of,
)

BLOCKED_US: Final = 2_000_000


@backup_scenario(
    "B-1",
    "TestBasicFail",
    about="values outlive a primary, and an empty server does not serve",
    servers=3,
    prepare=only(2, of=3),
)
def basic_fail(stage: LessonStage) -> Script:
    """One server, then two, then the first dies, then the second; a third one comes, empty."""
    client = Client(stage)
    yield from client.ask("put", b"111", b"v1")
    stage.restart(3)
    yield from settled(stage)
    yield from client.ask("put", b"3", b"33")
    stage.crash(2)
    yield Until(lambda: view_of(stage).primary == 3, VIEW_US)
    stage.check(view_of(stage).primary == 3, f"{view_of(stage)}: the backup does not lead")
    for key, value in ((b"111", b"v1"), (b"3", b"33")):
        found = yield from client.get(key)
        stage.check(found == value, f"{key!r} is {found!r} after the takeover")
    # Long enough for the view service to know that it acts in its view.
    yield Sleep(BLOCKED_US)
    stage.crash(3)
    # And that nobody is left.
    yield Sleep(BLOCKED_US)
    stage.restart(4)
    yield Sleep(BLOCKED_US)
    late = Client(stage)
    number = late.send(4, "get", b"111")
    yield Sleep(BLOCKED_US)
    stage.check(late.value(number) is None, "a server without the state has answered")
