"""Fixtures of pytest for who builds on pnyx: real nodes, a client, and a simulated cluster.

    def test_a_counter_survives_its_leader(pnyx_cluster, pnyx):
        pnyx.incr("visits")
        pnyx_cluster.kill(pnyx_cluster.leader())
        assert pnyx.incr("visits") == 2

`pnyx_cluster` is a harness.cluster.Cluster of three real processes, shared by the tests of a run
and whole again before each, or another one if it cannot be mended; `pnyx` is a client of it whose
keys are gone; `pnyx_sim` is a harness.simulation.Simulation of its own for each test. Settings
(ini): `pnyx_nodes`; option: `--pnyx-seed`, which plays a simulated test again.

pytest loads this file wherever pnyx is installed, so what fixtures need is loaded when they run.
"""

import random
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest

from pnyx.errors import PnyxError

if TYPE_CHECKING:
    from pnyx.admin.health import Health
    from pnyx.client.blocking import Pnyx
    from pnyx.harness.cluster import Cluster
    from pnyx.harness.simulation import Simulation

NODES: Final = "pnyx_nodes"
SEED: Final = "--pnyx-seed"
SEED_BITS: Final = 32
_seed_of: Final = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting and the option."""
    parser.addini(NODES, "nodes of pnyx_cluster and pnyx_sim: 1, 3, 5 or 7", default="3")
    group = parser.getgroup("pnyx")
    group.addoption(SEED, type=int, default=None, help="the seed of every pnyx_sim")


class _Shared:
    """The nodes of a run of tests: the same ones as long as what a test leaves can be mended."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._cluster: Cluster | None = None
        self._was: object = None

    def whole(self) -> "Cluster":
        """Return nodes that are all up and connected, and otherwise as they were made."""
        cluster = self._cluster
        if cluster is None or not self._is_mended(cluster):
            self.close()
            loaded = import_module("pnyx.harness.cluster")
            cluster = loaded.Cluster(count=self._count, settings={"faults": True})
            self._cluster = cluster
            cluster.start()
            self._was = _seen(cluster, cluster.wait_healthy())
        return cluster

    def close(self) -> None:
        """Stop the nodes; calling again does nothing."""
        if self._cluster is not None:
            self._cluster.close()

    def _is_mended(self, cluster: "Cluster") -> bool:
        # Without its directory a node does not start, or starts as another one.
        if not all(cluster.data(label).exists() for label in cluster.nodes):
            return False
        try:
            cluster.start()
            cluster.heal()
            return _seen(cluster, cluster.wait_healthy()) == self._was
        except (PnyxError, OSError):
            return False


def _seen(cluster: "Cluster", health: "Health") -> object:
    """Return what no restart and no healing changes: members, groups, and CONFIG's parameters."""
    groups = [group for group, _ in health.leaders]
    parameters = []
    for label in cluster.nodes:
        with cluster.connect(label) as connection:
            parameters.append(connection.call("CONFIG", "GET", "*"))
    return list(cluster.nodes), health.up, groups, parameters


@pytest.fixture(scope="session")
def _pnyx_nodes(pytestconfig: pytest.Config) -> Iterator[_Shared]:
    shared = _Shared(_count(pytestconfig))
    yield shared
    shared.close()


@pytest.fixture
def pnyx_cluster(_pnyx_nodes: _Shared) -> "Cluster":
    """Three real node processes, all up and connected: kill, restart, pause, partition, heal."""
    return _pnyx_nodes.whole()


@pytest.fixture
def pnyx(pnyx_cluster: "Cluster") -> Iterator["Pnyx[bytes]"]:
    """A client of `pnyx_cluster`, in which no key exists."""
    nodes = pnyx_cluster.nodes.values()
    addresses = ",".join(f"{node.host}:{node.ports.cluster}" for node in nodes)
    with import_module("pnyx").connect(f"pnyx://{addresses}") as client:
        client.execute_command("FLUSHALL")
        yield client


@pytest.fixture
def pnyx_sim(request: pytest.FixtureRequest) -> Iterator["Simulation"]:
    """A simulated cluster of this test's own; its seed is printed if the test fails."""
    given = request.config.getoption(SEED)
    seed = random.getrandbits(SEED_BITS) if given is None else given
    request.node.stash[_seed_of] = seed
    loaded = import_module("pnyx.harness.simulation")
    simulation = loaded.Simulation(seed, nodes=_count(request.config))
    yield simulation
    simulation.finish()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Say which seed a failed simulated test had."""
    report = yield
    if report.failed and _seed_of in item.stash:
        line = f"{SEED}={item.stash[_seed_of]} plays it again"
        report.sections.append(("pnyx_sim", line))
    return report


def _count(config: pytest.Config) -> int:
    text = str(config.getini(NODES))
    if text not in {"1", "3", "5", "7"}:
        raise pytest.UsageError(f"{NODES} is 1, 3, 5 or 7, not {text!r}")
    return int(text)
