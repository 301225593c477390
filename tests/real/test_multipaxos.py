"""Does a cluster of real nodes that runs Multi-Paxos keep what it acknowledged?"""

import random

import pytest

from pnyx.harness.cluster import Cluster
from pnyx.harness.witness import Witness, judge

pytestmark = [pytest.mark.real]


@pytest.mark.timeout(120)
def test_killing_leaders_under_load_loses_doubles_and_stales_nothing() -> None:
    seed = random.randrange(1 << 32)
    with Cluster(settings={"consensus": "multipaxos"}) as cluster:
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
