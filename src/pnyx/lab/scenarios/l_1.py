"""L-1: a lock built from versions excludes, for one client and ten, over good and lossy links."""

from typing import Final

from pnyx.lab.history import History
from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.clients import check_linearizable, first_leader
from pnyx.lab.scenarios.locks import Holders, Lock
from pnyx.lab.scenarios.versions import VersionClient
from pnyx.lab.stage import WorldStage

LOAD_US = 2_000_000
ROUNDS: Final = ((1, False), (10, False), (1, True), (10, True))
"""Clients, and whether the links are lossy."""


@scenario(
    "L-1",
    about="nobody who holds the lock sees what another holder left",
    source="MIT 6.5840 lab 2, TestOneClientReliable to TestManyClientsUnreliable",
    nodes=3,
    profile=MIT_UNRELIABLE,
)
def lock(stage: WorldStage) -> Script:
    """Let clients hold one lock in turn for two seconds, four times."""
    yield from first_leader(stage)
    for number, (clients, lossy) in enumerate(ROUNDS):
        stage.reliable(reliable=not lossy)
        history = History("kv-versions")
        holders = Holders(stage, b"l0.%d" % number, stage.now_us + LOAD_US)
        for each in range(clients):
            client = VersionClient(stage, f"{number}.{each}", history, lossy)
            stage.spawn(holders.hold(Lock(client, b"lock.%d" % number)))
        ended = yield Until(holders.are_over, 60_000_000)
        stage.check(ended, f"{holders.working} of {clients} clients wait for the lock for ever")
        stage.check(holders.held >= clients, f"{clients} clients held it {holders.held} times")
        check_linearizable(stage, history)
