"""Is expiry agreed, whoever's clock is wrong, and does it never un-happen?"""

from pnyx.machine.commands import DbSize, Expiry, Get, Set
from pnyx.replica.requests import Done
from replica.cluster import WALL_MS, Cluster


def expiring(ms: int) -> Set:
    return Set(b"k", b"v", expiry=Expiry(ms, relative=True))


def test_an_idle_leader_lets_due_keys_go() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "w", expiring(500))
    cluster.advance(400)
    cluster.submit(1, "before", DbSize())
    cluster.advance(300)
    cluster.submit(1, "after", DbSize())
    cluster.settle()
    assert cluster.answers(1)["before"] == Done((1,))
    assert cluster.answers(1)["after"] == Done((0,))


def test_one_clock_that_is_a_year_ahead_expires_nothing() -> None:
    cluster = Cluster()
    cluster.members[3].wall_skew_ms = 365 * 86_400_000
    cluster.elect(3)
    cluster.advance(100)
    cluster.submit(3, "w", expiring(60_000))
    cluster.advance(1_000)
    cluster.submit(3, "r", Get(b"k"))
    cluster.advance(100)
    assert cluster.answers(3)["r"] == Done((b"v",))


def test_what_one_reader_saw_expire_does_not_come_back_after_a_change_of_leader() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "w", Set(b"k", b"v", expiry=Expiry(WALL_MS + 500, relative=False)))
    cluster.advance(510)
    cluster.submit(1, "first", Get(b"k"))
    cluster.settle()
    assert cluster.answers(1)["first"] == Done((None,))
    for member in cluster.members.values():
        member.wall_skew_ms = -3_600_000
    cluster.isolate(1)
    leader = cluster.await_leader(but=1)
    cluster.submit(leader, "second", Get(b"k"))
    cluster.settle()
    assert cluster.answers(leader)["second"] == Done((None,))


def test_time_goes_on_after_all_clocks_were_set_back() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "w", expiring(2_000))
    cluster.settle()
    for member in cluster.members.values():
        member.wall_skew_ms = -3_600_000
    cluster.advance(6_000)
    cluster.submit(1, "r", DbSize())
    cluster.settle()
    assert cluster.answers(1)["r"] == Done((0,))
