"""V-1: versions of one client over reliable links."""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.clients import first_leader
from pnyx.lab.scenarios.versions import (
    DONE,
    ERR_NO_KEY,
    ERR_VERSION,
    VersionClient,
    Versioned,
)
from pnyx.lab.stage import WorldStage


@scenario(
    "V-1",
    about="a put needs the version it replaces, and a new key version 0",
    source="MIT 6.5840 lab 2, TestReliablePut",
    nodes=3,
)
def reliable_put(stage: WorldStage) -> Script:
    """Put with the right version, a stale one, and one of a key that is not there."""
    yield from first_leader(stage)
    client = VersionClient(stage, "only")
    told = yield from client.write(b"k", b"6.5840", 0)
    stage.check(told == DONE, f"a put of a new key was told {told}")
    found = yield from client.read(b"k")
    stage.check(found == Versioned(b"6.5840", 1), f"after the first put: {found}")
    told = yield from client.write(b"k", b"6.5840", 0)
    stage.check(told == ERR_VERSION, f"a put of a stale version was told {told}")
    told = yield from client.write(b"y", b"6.5840", 1)
    stage.check(told == ERR_NO_KEY, f"a put of a new key with version 1 was told {told}")
    found = yield from client.read(b"y")
    stage.check(found.version == 0, f"a key that was never put holds {found}")
