"""What the W-* scenarios share: servers that a script plays, each ping by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pnyx.lab.lessons.backup import SPOKEN, make
from pnyx.lab.lessons.backupjudge import BackupJudge
from pnyx.lab.lessons.stage import Lesson, LessonStage, Mailbox
from pnyx.lab.lessons.views import DEAD_MS, NO_VIEW, PING_MS, AskView, Ping, View
from pnyx.lab.lessons.world import UNRELIABLE
from pnyx.lab.scenario import Scenario, Script, Sleep, scenario

PING_US: Final = PING_MS * 1_000
DEAD_PINGS: Final = DEAD_MS // PING_MS
PRIMARY_BACKUP: Final = Lesson(
    "primary-backup",
    "a primary, its backup, and one host that says who is who",
    make,
    SPOKEN,
    BackupJudge,
)


def view_scenario(
    identifier: str, *, about: str, **more: Any
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make the decorated script a scenario of a view service alone."""
    return scenario(
        identifier,
        about=about,
        source="MIT 6.824 2015, lab 2A (viewservice), Test1",
        nodes=1,
        profile=UNRELIABLE,
        lesson=PRIMARY_BACKUP,
        **more,
    )


@dataclass(slots=True)
class Played:
    """A server of which there is nothing but its pings."""

    box: Mailbox
    number: int = 0
    """What it said last."""

    @property
    def me(self) -> int:
        """Its name in views."""
        return self.box.place

    def ping(self, number: int) -> None:
        """Say which view it has the state of."""
        self.number = number
        self.box.ask(1, Ping(number))


def played(stage: LessonStage, count: int) -> list[Played]:
    """Return so many servers."""
    return [Played(stage.client()) for _ in range(count)]


def pinging(*servers: Played, times: int = 1) -> Script:
    """Let these ping as they did last, and time pass; others are silent."""
    for _ in range(times):
        for server in servers:
            server.ping(server.number)
        yield Sleep(PING_US)


def seen(stage: LessonStage) -> Any:
    """Return the view, as a client sees it."""
    box = stage.client()
    box.ask(1, AskView())
    yield Sleep(PING_US // 10)
    view = box.arrived[-1][1] if box.arrived else NO_VIEW
    assert isinstance(view, View), "the view service answers with a view"
    return view


def expect(
    stage: LessonStage, number: int, primary: Played | None, backup: Played | None
) -> Script:
    """Fail unless this is the view."""
    wanted = View(number, primary.me if primary else 0, backup.me if backup else 0)
    view = yield from seen(stage)
    stage.check(view == wanted, f"{view}, not {wanted}")


def primary_and_backup(stage: LessonStage, count: int) -> Any:
    """Return servers: the first is primary of view 2 and has said so, the second its backup."""
    servers = played(stage, count)
    first, second = servers[0], servers[1]
    first.ping(0)
    yield from pinging(first)
    first.ping(1)
    yield from pinging(first, second, times=2)
    yield from expect(stage, 2, first, second)
    first.ping(2)
    second.ping(2)
    yield from pinging(first, second)
    return servers
