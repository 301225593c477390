"""L-2: locks of different names know nothing of each other, in whatever order they are nested."""

from typing import Final

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.clients import first_leader
from pnyx.lab.scenarios.locks import FREE, Lock
from pnyx.lab.scenarios.versions import VersionClient
from pnyx.lab.stage import WorldStage

FIRST: Final = b"lock-name-01"
SECOND: Final = b"lock-name-02"


@scenario(
    "L-2",
    about="one lock is held and freed while another is held, in both orders",
    source="MIT 6.5840 2026 lab 2, TestReliableBasic, TestReliableNested",
    nodes=3,
)
def nested(stage: WorldStage) -> Script:
    """Take one lock alone, then two in both orders of nesting."""
    yield from first_leader(stage)
    client = VersionClient(stage, "only")
    alone = Lock(client, FIRST)
    yield from alone.acquire()
    yield from _check(stage, client, FIRST, is_held=True)
    yield from alone.release()
    yield from _check(stage, client, FIRST, is_held=False)
    for outer_name, inner_name in ((FIRST, SECOND), (SECOND, FIRST)):
        outer, inner = Lock(client, outer_name, taken=10), Lock(client, inner_name, taken=20)
        yield from outer.acquire()
        yield from inner.acquire()
        yield from _check(stage, client, inner_name, is_held=True)
        yield from inner.release()
        yield from _check(stage, client, inner_name, is_held=False)
        yield from _check(stage, client, outer_name, is_held=True)
        yield from outer.release()
        yield from _check(stage, client, outer_name, is_held=False)


def _check(stage: WorldStage, client: VersionClient, name: bytes, *, is_held: bool) -> Script:
    found = yield from client.read(name)
    stage.check((found.value != FREE) == is_held, f"{name!r} is {found}, held: {is_held}")
