"""V-4: a hundred versions of a key over a lossy network, each put once."""

from pnyx.lab.history import History
from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.clients import check_linearizable, first_leader
from pnyx.lab.scenarios.versions import DONE, ERR_MAYBE, ERR_VERSION, VersionClient
from pnyx.lab.stage import WorldStage

COUNT = 100


@scenario(
    "V-4",
    about="over lossy links each put happens once, and ErrMaybe is told where nobody can know",
    source="MIT 6.5840 lab 2, TestUnreliableNet",
    nodes=3,
    profile=MIT_UNRELIABLE,
)
def unreliable_net(stage: WorldStage) -> Script:
    """Put a hundred versions; whoever is told ErrMaybe asks again."""
    yield from first_leader(stage)
    stage.reliable(reliable=False)
    history = History("kv-versions")
    client = VersionClient(stage, "only", history, lossy=True)
    maybes = 0
    for version in range(COUNT):
        value = b"%d" % version
        told = yield from client.write(b"k", value, version)
        if told == ERR_MAYBE:
            maybes += 1
            told = yield from client.write(b"k", value, version)
            # Nobody else writes: it happened the first time.
            stage.check(told == ERR_VERSION, f"after ErrMaybe version {version}: {told}")
        else:
            stage.check(told == DONE, f"version {version} was told {told}")
        found = yield from client.read(b"k")
        stage.check(
            (found.value, found.version) == (value, version + 1), f"after {version}: {found}"
        )
    stage.budget("puts told ErrMaybe", maybes, COUNT, 1)
    check_linearizable(stage, history)
