"""Clusters that get or lose members, for tests."""

from pnyx.consensus.membership import Membership
from pnyx.ids import NodeId
from pnyx.machine.commands import Set
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Done
from replica.cluster import Cluster

SMALL = ReplicaLimits(
    flush_log_bytes=500, compact_log_bytes=1_000, tail_log_bytes=100, snapshot_chunk_bytes=200
)
DONE = Done(())


def nodes(*numbers: int) -> tuple[NodeId, ...]:
    return tuple(NodeId(number) for number in numbers)


def grown(count: int = 3, limits: ReplicaLimits | None = None) -> Cluster:
    """A cluster that 1 leads, and a node 4 with an empty disk that nobody knows."""
    cluster = Cluster(count, limits)
    cluster.elect(1)
    cluster.submit(1, "before", Set(b"a", b"1"))
    cluster.settle()
    cluster.add(4)
    return cluster


def of(cluster: Cluster, number: int) -> Replica:
    return cluster.members[number].replica


def membership(cluster: Cluster, number: int = 1) -> Membership:
    applied = of(cluster, number).group.membership
    assert applied is not None
    return applied


def wiped(number: int = 3, limits: ReplicaLimits | None = None) -> Cluster:
    """A cluster that 1 leads, whose `number` lost its disk: its process is node 4 now."""
    cluster = Cluster(3, limits)
    cluster.elect(1)
    for key in range(30):
        cluster.submit(1, key, Set(b"key%d" % key, b"value" * 5))
        cluster.settle()
    cluster.advance(1_000)
    cluster.crash(number)
    cluster.add(4, joins=f"n{number}")
    return cluster
