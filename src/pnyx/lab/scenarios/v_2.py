"""V-2: ten clients put one key by versions, as fast as they can think."""

from pnyx.lab.history import History
from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.clients import THINK_US, check_linearizable, first_leader
from pnyx.lab.scenarios.versions import DONE, VersionClient
from pnyx.lab.stage import WorldStage

CLIENTS = 10
LOAD_US = 1_000_000


@scenario(
    "V-2",
    about="the final version of a key is the number of puts that were told OK",
    source="MIT 6.5840 lab 2, TestPutConcurrentReliable",
    nodes=3,
)
def put_concurrent(stage: WorldStage) -> Script:
    """Let ten clients read and put for a second."""
    yield from first_leader(stage)
    history = History("kv-versions")
    end_us = stage.now_us + LOAD_US
    done = [0] * CLIENTS
    ended = [False] * CLIENTS

    def load(number: int) -> Script:
        client = VersionClient(stage, f"{number}", history)
        while stage.now_us < end_us:
            found = yield from client.read(b"k")
            value = b"%d.%d" % (number, stage.now_us)
            told = yield from client.write(b"k", value, found.version)
            done[number] += told == DONE
            yield Sleep(THINK_US)
        ended[number] = True

    for number in range(CLIENTS):
        stage.spawn(load(number))
    yield Until(lambda: all(ended), 20_000_000)
    found = yield from VersionClient(stage, "reader", history).read(b"k")
    stage.check(found.version == sum(done), f"{sum(done)} puts were OK, version {found.version}")
    stage.check(found.version >= CLIENTS, f"only {found.version} puts in a second")
    check_linearizable(stage, history)
