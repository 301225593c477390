"""B-X2: the view service is down, the primary dies, and nobody may lead, although two live.

Who decides who leads is one host. Multi-instance Paxos and Multi-Paxos have no such host: two of
three serve (D-7, R-B7). That is what consensus is for.
"""

from typing import Final

from pnyx.lab.lessons.stage import LessonStage
from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.understudies import (
    Client,
    backup_scenario,
    server_on,
    settled,
    view_of,
)

BLOCKED_US: Final = 10_000_000


@backup_scenario(
    "B-X2",
    "none: what the lab leaves out",
    about="without its view service the backup has everything and may not serve",
    servers=3,
)
def view_service_down(stage: LessonStage) -> Script:
    """Ask all that live, for ten seconds."""
    yield from settled(stage)
    client = Client(stage)
    yield from client.ask("put", b"k", b"v")
    view = view_of(stage)
    stage.crash(1)
    yield from client.ask("put", b"k", b"w")
    stage.crash(view.primary)
    held = server_on(stage, view.backup).values[b"k"]
    asked = [(Client(stage), server) for server in (2, 3, 4) if server != view.primary]
    numbers = [(one, one.send(server, "get", b"k")) for one, server in asked]
    yield Sleep(BLOCKED_US)
    answers = [one.value(number) for one, number in numbers]
    stage.check(answers == [None, None], f"somebody serves: {answers}")
    stage.explained += [
        f"expected: n1 is down and n{view.primary} has died; n{view.backup} holds {held!r} and may",
        f"not lead: nobody answered in {BLOCKED_US / 1e6:.0f} s, although 2 of 3 servers live",
    ]
