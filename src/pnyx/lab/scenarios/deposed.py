"""A read that was long under way reaches a primary that was replaced (B-7, B-8)."""

from typing import Any, Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Sleep, Until
from pnyx.lab.scenarios.understudies import VIEW_US, Client, settled, view_of

KEY: Final = b"a"


def deposed_primary(stage: LessonStage) -> Any:
    """Cut the primary off the view service and rewrite the value; return old and new primary."""
    yield from settled(stage)
    old = view_of(stage).primary
    client = Client(stage)
    yield from client.ask("put", KEY, b"1")
    stage.cut(1, old)
    replaced = yield Until(lambda: view_of(stage).primary != old, VIEW_US)
    stage.check(replaced, f"{view_of(stage)}: a primary that is not heard of leads on")
    yield from client.ask("put", KEY, b"111")
    return old, view_of(stage).primary


def stale_read(stage: LessonStage, server: int, waits_us: int) -> Any:
    """Let the late read arrive, and return what was answered."""
    late = Client(stage)
    number = late.send(server, "get", KEY)
    yield Sleep(waits_us)
    return late.value(number)
