"""Does a cluster of real nodes that runs Multi-Paxos keep what it acknowledged?

`make test-multipaxos` runs all tests of real processes on it, unchanged; a few of them run here.
"""

import random
from collections.abc import Callable

import pytest

from pnyx.harness.cluster import Cluster
from pnyx.harness.witness import Witness, judge
from pnyx.storage.identity import read_identity
from real import test_catching_up, test_faults, test_groups

pytestmark = [pytest.mark.real]


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNYX_CONSENSUS", "multipaxos")


def test_nodes_take_the_engine_from_the_environment() -> None:
    with Cluster(count=1) as cluster:
        cluster.start()
        cluster.wait_healthy()
        assert read_identity(cluster.data("n1")).consensus == "multipaxos"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "test",
    [
        test_catching_up.test_a_node_that_missed_more_than_the_log_holds_is_sent_the_state,
        test_catching_up.test_sigterm_hands_leadership_over_and_ends_with_0_within_its_bound,
        test_faults.test_five_nodes_lose_two_and_go_on_and_merge_after_a_split,
        test_groups.test_the_library_does_what_the_commands_do,
    ],
)
def test_what_holds_on_raft_holds_on_multipaxos(test: Callable[[], None]) -> None:
    test()


@pytest.mark.timeout(120)
def test_killing_leaders_under_load_loses_doubles_and_stales_nothing() -> None:
    seed = random.randrange(1 << 32)
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        addresses = [(node.host, node.ports.gateway) for node in cluster.nodes.values()]
        witness = Witness(addresses, clients=4, seed=seed)
        witness.start()
        for _ in range(3):
            victim = cluster.wait_for_leader()
            cluster.kill(victim)
            cluster.wait_for_leader()
            cluster.restart(victim)
            cluster.wait_healthy()
        observed = witness.stop()
        keys = sorted({append.key for append in observed.appends})
        with cluster.connect(cluster.wait_for_leader()) as connection:
            finals = {key: connection.call("GET", key) or b"" for key in keys}
    assert judge(observed, finals) == [], f"seed {seed}"
    assert sum(append.outcome == "done" for append in observed.appends) > 50
