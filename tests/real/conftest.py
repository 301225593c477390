"""One healthy cluster for all tests that only talk to it, and the programs that may be missing."""

import shutil
from collections.abc import Iterator
from itertools import count

import pytest

from pnyx.client.files.filesystem import PnyxFileSystem
from pnyx.harness.cluster import Cluster

NUMBERS = count()
PACKAGES = {"redis-cli": "redis-tools", "redis-benchmark": "redis-tools"}


@pytest.fixture(scope="session")
def shared() -> Iterator[Cluster]:
    with Cluster() as nodes:
        nodes.start()
        nodes.wait_healthy()
        yield nodes


@pytest.fixture
def program(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here (apt-get install {PACKAGES[name]})")
    return name


def cluster_ports(cluster: Cluster) -> str:
    return ",".join(f"{node.host}:{node.ports.cluster}" for node in cluster.nodes.values())


@pytest.fixture(scope="session")
def files(shared: Cluster) -> Iterator[PnyxFileSystem]:
    opened = PnyxFileSystem(cluster_ports(shared), skip_instance_cache=True)
    yield opened
    opened.close()


@pytest.fixture
def place(files: PnyxFileSystem) -> Iterator[str]:
    path = f"/ours-{next(NUMBERS)}"
    files.mkdir(path)
    yield path
    files.rm(path, recursive=True)
