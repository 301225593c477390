"""Does a batch wait for clients that were just answered, and for nobody else?"""

from pnyx.machine.commands import Get, Set
from pnyx.machine.results import OK
from pnyx.replica.effects import NEVER
from pnyx.replica.gathering import BATCH_REQUESTS_MAX, REST_COUNT_FIRST, Gathering
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.reads import GATHER_COUNT_LEAST
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Done
from replica.cluster import Cluster


def split(cluster: Cluster, firsts: int = 1) -> Replica:
    """Answer "first", one of `firsts`, while "second" waits for the next batch."""
    leader = cluster.members[1]
    leader.disk_held = True
    for number in range(1, firsts):
        cluster.submit(1, number, Set(b"k", b"0"))
    cluster.submit(1, "first", Set(b"k", b"1"))
    cluster.isolate(2)
    cluster.settle()
    cluster.submit(1, "second", Set(b"k", b"2"))
    leader.disk_held = False
    cluster.sync(1)
    cluster.settle()
    assert cluster.answers(1)["first"] == Done((OK,))
    return leader.replica


def gathering(ms: int) -> Cluster:
    cluster = Cluster(limits=ReplicaLimits(gather_ms=ms))
    cluster.elect(1)
    return cluster


def test_who_was_just_answered_and_who_waited_share_the_next_entry() -> None:
    cluster = gathering(20)
    leader = split(cluster)
    before = leader.consensus.last_index
    cluster.submit(1, "first again", Set(b"k", b"3"))
    cluster.settle()
    assert leader.consensus.last_index == before + 1
    assert {"second", "first again"} <= cluster.answers(1).keys()


def test_a_batch_waits_no_longer_than_its_limit_for_who_does_not_come_back() -> None:
    cluster = gathering(20)
    split(cluster)
    cluster.advance(10)
    assert "second" not in cluster.answers(1)
    cluster.advance(10)
    assert cluster.answers(1)["second"] == Done((OK,))


def test_nobody_is_waited_for_soon_after_somebody_was_in_vain() -> None:
    cluster = gathering(20)
    split(cluster)
    cluster.advance(20)
    for number in range(REST_COUNT_FIRST):
        cluster.submit(1, number, Set(b"k", b"v"))
        cluster.submit(1, -number - 1, Set(b"k", b"v"))
        cluster.settle()
        assert number in cluster.answers(1)


def test_one_of_eight_who_is_late_is_waited_for_a_moment_only() -> None:
    cluster = gathering(1_000)
    leader = split(cluster, firsts=7)
    before = leader.consensus.last_index
    for number in range(1, 6):
        cluster.submit(1, -number, Set(b"k", b"v"))
    cluster.settle()
    assert leader.consensus.last_index == before
    cluster.submit(1, -6, Set(b"k", b"v"))
    cluster.settle()
    assert leader.consensus.last_index == before
    assert new_writes(leader) == 1, "the last of eight"
    cluster.advance(10)
    assert leader.consensus.last_index == before + 1


def batches_until_one_waits(gathering: Gathering) -> int:
    """Let two clients ask again and again; return how many batches waited for nobody."""
    count = -1
    is_complete = True
    while is_complete:
        gathering.left(2)
        gathering.arrived(0, 0)
        is_complete = gathering.enough(is_idle=True) <= 1
        count += 1
    return count


def test_after_each_vain_wait_in_a_row_twice_as_many_batches_wait_for_nobody() -> None:
    gathering = Gathering(10)
    assert batches_until_one_waits(gathering) == 0
    rests = []
    for _ in range(9):
        gathering.tick(10, waiting=1)
        rests.append(batches_until_one_waits(gathering))
    assert rests == [16, 32, 64, 128, 256, 512, 1_024, 1_024, 1_024]
    assert batches_until_one_waits(gathering) == 0, "all came in time"
    gathering.tick(10, waiting=1)
    assert batches_until_one_waits(gathering) == REST_COUNT_FIRST


def test_a_client_alone_never_waits_for_anybody() -> None:
    cluster = gathering(1_000)
    for number in range(5):
        cluster.submit(1, number, Set(b"k", b"v"))
        cluster.settle()
        assert number in cluster.answers(1)


def test_without_the_limit_the_next_batch_leaves_at_once() -> None:
    cluster = gathering(0)
    split(cluster)
    assert cluster.answers(1)["second"] == Done((OK,))


def new_reads(replica: Replica) -> int:
    reads, _ = replica.awaited()
    return reads


def new_writes(replica: Replica) -> int:
    _, writes = replica.awaited()
    return writes


def test_a_write_waits_for_the_commit_of_the_batch_before() -> None:
    cluster = gathering(20)
    leader = cluster.members[1]
    assert new_writes(leader.replica) == 0, "alone"
    leader.disk_held = True
    cluster.isolate(1)
    cluster.submit(1, "first", Set(b"k", b"1"))
    cluster.settle()
    assert new_writes(leader.replica) == BATCH_REQUESTS_MAX


def test_a_write_waits_for_the_rest_of_its_batch_only_where_somebody_waits_already() -> None:
    cluster = gathering(1_000)
    leader = split(cluster, firsts=2)
    assert new_writes(leader) == 2
    cluster.submit(1, "first again", Set(b"k", b"3"))
    cluster.submit(1, "1 again", Set(b"k", b"3"))
    cluster.settle()
    assert new_writes(leader) == 0, "nothing would wake the next one"


def test_a_read_waits_for_the_barrier_under_way() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    assert new_reads(leader) == 0, "alone"
    cluster.isolate(1)
    cluster.submit(1, "asking", Get(b"k"))
    cluster.settle()
    assert new_reads(leader) == NEVER


def split_reads(cluster: Cluster) -> Replica:
    """Answer the reads 1 to 15 while "next" waits for the barrier after theirs."""
    cluster.isolate(1)
    for number in range(1, GATHER_COUNT_LEAST):
        cluster.submit(1, number, Get(b"k"))
    cluster.settle()
    cluster.submit(1, "next", Get(b"k"))
    cluster.settle()
    cluster.cut.clear()
    for _ in range(20):
        if 1 not in cluster.answers(1):
            cluster.advance(10)
    assert set(range(1, GATHER_COUNT_LEAST)) <= cluster.answers(1).keys()
    return cluster.members[1].replica


def test_reads_share_the_next_barrier_with_those_that_were_just_answered() -> None:
    cluster = gathering(20)
    leader = split_reads(cluster)
    rounds = leader.counters.read_rounds
    for number in range(1, 13):
        cluster.submit(1, -number, Get(b"k"))
    cluster.settle()
    assert new_reads(leader) == 1, "the last, but for some who may be late"
    cluster.submit(1, "last", Get(b"k"))
    cluster.settle()
    assert {"next", -1, "last"} <= cluster.answers(1).keys()
    assert leader.counters.read_rounds == rounds + 1


def test_a_read_waits_no_longer_for_others_than_a_barrier_is_worth() -> None:
    cluster = gathering(1_000)
    split_reads(cluster)
    assert "next" not in cluster.answers(1)
    cluster.advance(10)
    assert "next" in cluster.answers(1)


def test_without_the_limit_no_read_waits_for_others() -> None:
    cluster = gathering(0)
    split_reads(cluster)
    assert "next" in cluster.answers(1)


def test_few_reads_wait_for_nobody() -> None:
    cluster = gathering(20)
    cluster.isolate(1)
    cluster.submit(1, "first", Get(b"k"))
    cluster.settle()
    cluster.submit(1, "second", Get(b"k"))
    cluster.settle()
    cluster.cut.clear()
    for _ in range(20):
        if "first" not in cluster.answers(1):
            cluster.advance(10)
    assert {"first", "second"} == cluster.answers(1).keys()


def test_nothing_waits_at_a_follower() -> None:
    cluster = gathering(20)
    split(cluster)
    follower = cluster.members[3].replica
    assert not follower.leads
    assert follower.awaited() == (0, 0)
