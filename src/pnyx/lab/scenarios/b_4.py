"""B-4: a put right after the backup, or the primary, has died is kept."""

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script
from pnyx.lab.scenarios.understudies import Client, backup_scenario, settled, view_of


@backup_scenario("B-4", "TestFailPut", about="a put beside a death is kept", servers=3)
def fail_put(stage: LessonStage) -> Script:
    """Kill the backup, put, then kill the primary, put."""
    yield from settled(stage)
    client = Client(stage)
    for key in (b"a", b"b", b"c"):
        yield from client.ask("put", key, b"old")
    stage.crash(view_of(stage).backup)
    yield from client.ask("put", b"a", b"aaa")
    found = yield from client.get(b"a")
    stage.check(found == b"aaa", f"a is {found!r} after the backup died")
    yield from settled(stage)
    stage.crash(view_of(stage).primary)
    yield from client.ask("put", b"b", b"bbb")
    for key, value in ((b"a", b"aaa"), (b"b", b"bbb"), (b"c", b"old")):
        found = yield from client.get(key)
        stage.check(found == value, f"{key!r} is {found!r} after both died")
