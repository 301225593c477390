"""Does every request get one of the four outcomes, once, and the right one?"""

from pnyx.consensus.ready import Role
from pnyx.ids import NodeId
from pnyx.machine.commands import Append, Get, Set
from pnyx.machine.results import OK
from pnyx.replica.backlog import LAG_MS, PIECE_BYTES, PIECE_COUNT
from pnyx.replica.effects import Outbound
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import Forward, ForwardReply
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Done, Elsewhere, NotDone, Reason, Unknown
from replica.cluster import Cluster


def test_a_write_is_answered_when_it_is_applied() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "w", Set(b"k", b"v"))
    cluster.submit(1, "r", Get(b"k"))
    cluster.settle()
    assert cluster.answers(1) == {"w": Done((OK,)), "r": Done((b"v",))}


def test_requests_of_one_turn_share_one_entry() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    before = leader.consensus.last_index
    for number in range(20):
        cluster.submit(1, number, Set(b"k%d" % number, b"v"))
    cluster.settle()
    assert leader.consensus.last_index == before + 1
    assert len(cluster.answers(1)) == 20


def test_nothing_is_answered_before_a_majority_is_durable() -> None:
    cluster = Cluster()
    cluster.elect(1)
    for member in cluster.members.values():
        member.disk_held = True
    cluster.submit(1, "w", Set(b"k", b"v"))
    cluster.settle()
    assert cluster.answers(1) == {}
    cluster.sync(1)
    cluster.settle()
    assert cluster.answers(1) == {}
    cluster.sync(2)
    cluster.settle()
    assert cluster.answers(1) == {"w": Done((OK,))}


def _follower_amid_a_sync(cluster: Cluster) -> Replica:
    """Return replica 2, which may apply one entry while another is not durable there yet."""
    cluster.elect(1)
    member = cluster.members[2]
    member.disk_held = True
    for number in range(2):
        cluster.submit(1, number, Set(b"k", b"%d" % number))
        cluster.settle()
    before = member.replica.group.applied.index
    member.replica.persisted(member.unsynced.pop(0), cluster.now(2))
    cluster.settle()
    consensus = member.replica.consensus
    assert before < consensus.durable_index < consensus.last_index, "one of two is durable"
    assert member.replica.group.applied.index == before, "the acknowledgement comes first"
    return member.replica


def test_a_follower_applies_when_what_it_writes_is_durable() -> None:
    cluster = Cluster()
    follower = _follower_amid_a_sync(cluster)
    cluster.sync(2)
    cluster.settle()
    assert follower.group.applied.index == follower.consensus.last_index


def test_a_follower_applies_after_a_while_whatever_its_disk_does() -> None:
    cluster = Cluster()
    follower = _follower_amid_a_sync(cluster)
    assert follower.deadline_ms <= cluster.mono_ms + LAG_MS
    cluster.advance(10)
    assert follower.group.applied.index == follower.consensus.durable_index
    assert follower.deadline_ms > cluster.mono_ms, "nothing is left to be done later"


def test_a_read_at_a_follower_does_not_wait_for_its_disk() -> None:
    cluster = Cluster()
    follower = _follower_amid_a_sync(cluster)
    cluster.submit(2, "r", Get(b"k"), stale=True)
    cluster.settle()
    assert cluster.answers(2) == {"r": Done((b"0",))}
    assert follower.group.applied.index == follower.consensus.durable_index


def _with_much_to_apply() -> Cluster:
    """Return a cluster where 20 entries were committed to member 2 amid a sync."""
    cluster = Cluster()
    cluster.elect(1)
    cluster.members[2].disk_held = True
    for number in range(20):
        value = b"x" * (PIECE_BYTES if number < 2 else 1)
        cluster.submit(1, number, Set(b"k", value))
        cluster.settle()
    return cluster


def _pieces(cluster: Cluster) -> list[tuple[int, bool]]:
    """End the sync; return how many entries are applied at a time, and is way given then."""
    member, now = cluster.members[2], cluster.now(2)
    for write_id in member.unsynced:
        member.replica.persisted(write_id, now)
    pieces: list[tuple[int, bool]] = []
    while (effects := member.replica.effects(now)) is not None:
        member.answers += effects.answers
        if effects.applied:
            pieces.append((effects.applied, effects.gives_way))
    assert member.replica.group.applied.index == member.replica.consensus.commit_index
    return pieces


def test_a_follower_applies_in_pieces_and_gives_way_between() -> None:
    pieces = _pieces(_with_much_to_apply())
    assert [count for count, _ in pieces] == [1, 1, *[PIECE_COUNT] * 4, 1]
    assert [gives_way for _, gives_way in pieces] == [True] * 6 + [False]


def test_a_follower_gives_no_way_while_a_read_waits_for_what_it_applies() -> None:
    cluster = _with_much_to_apply()
    cluster.cut = {(1, 2)}
    cluster.submit(2, "r", Get(b"k"))
    cluster.settle()
    follower = cluster.members[2].replica
    for sender, outbound in cluster.dropped:
        follower.step(NodeId(sender), outbound.message, cluster.now(2))
    assert _pieces(cluster) == [(1, False), (1, False), *[(PIECE_COUNT, False)] * 4, (1, False)]
    cluster.cut.clear()
    cluster.advance(100)
    assert cluster.answers(2) == {"r": Done((b"x",))}


def test_a_follower_forwards_writes_and_answers_reads_itself() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(2, "w", Set(b"k", b"v"))
    cluster.settle()
    cluster.submit(2, "r", Get(b"k"))
    cluster.settle()
    assert cluster.answers(2) == {"w": Done((OK,)), "r": Done((b"v",))}
    assert cluster.members[2].replica.counters.forwarded == 1


def test_a_follower_that_may_not_forward_says_where_the_leader_is() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(2, "w", Set(b"k", b"v"), forward=False)
    cluster.settle()
    assert cluster.answers(2) == {"w": Elsewhere(NodeId(1))}


def test_a_stale_read_is_answered_from_what_is_applied_here_and_asks_nobody() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "w", Set(b"k", b"v"))
    cluster.settle()
    cluster.advance(100)
    cluster.isolate(2)
    cluster.submit(1, "again", Set(b"k", b"newer"))
    cluster.settle()
    cluster.submit(2, "r", Get(b"k"), stale=True)
    cluster.submit(2, "current", Get(b"k"))
    cluster.settle()
    assert cluster.answers(2) == {"r": Done((b"v",))}


def test_a_stale_read_without_a_leader_does_not_wait_for_one() -> None:
    cluster = Cluster()
    cluster.submit(2, "r", Get(b"k"), stale=True)
    cluster.settle()
    assert cluster.answers(2) == {"r": Done((None,))}


def test_a_stale_read_that_was_forwarded_is_answered_by_a_follower() -> None:
    cluster = Cluster()
    cluster.elect(1)
    forward = Forward(7, 1, (Get(b"k"),), by_log=False, stale=True)
    cluster.isolate(2)
    cluster.members[2].replica.step(NodeId(3), forward, cluster.now(2))
    cluster.settle()
    assert (2, Outbound(NodeId(3), ForwardReply(7, 1, Done((None,))))) in cluster.dropped


def test_a_request_without_a_leader_is_parked_and_then_answered() -> None:
    cluster = Cluster()
    cluster.submit(2, "w", Set(b"k", b"v"))
    cluster.settle()
    assert cluster.members[2].replica.parked_count == 1
    cluster.elect(1)
    assert cluster.answers(2) == {"w": Done((OK,))}


def test_a_minority_answers_parked_requests_after_the_bound() -> None:
    cluster = Cluster(limits=ReplicaLimits(park_ms=1_500))
    cluster.isolate(2)
    cluster.submit(2, "w", Set(b"k", b"v"))
    cluster.advance(1_490)
    assert cluster.answers(2) == {}
    cluster.advance(60)
    assert cluster.answers(2) == {"w": NotDone(Reason.NO_QUORUM)}


def test_parked_bytes_are_bounded() -> None:
    cluster = Cluster(limits=ReplicaLimits(parked_bytes=100))
    cluster.submit(2, "small", Set(b"k", b"v"))
    cluster.submit(2, "large", Set(b"k", b"v" * 100))
    cluster.settle()
    assert cluster.answers(2) == {"large": NotDone(Reason.OVERLOADED)}


def test_a_proposal_of_an_isolated_leader_is_unknown_after_its_bound() -> None:
    cluster = Cluster(limits=ReplicaLimits(outcome_ms=3_000))
    cluster.elect(1)
    cluster.isolate(1)
    cluster.submit(1, "w", Append(b"k", b"v"))
    cluster.settle()
    cluster.advance(3_100)
    assert cluster.answers(1) == {"w": Unknown()}
    assert cluster.members[1].replica.consensus.role is not Role.LEADER


def test_a_superseded_proposal_is_proposed_again_and_takes_effect_once() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.isolate(1)
    cluster.submit(1, "w", Append(b"k", b"v"))
    cluster.settle()
    leader = cluster.await_leader(but=1)
    cluster.submit(leader, "other", Append(b"k", b"o"))
    cluster.settle()
    cluster.cut.clear()
    cluster.advance(400)
    assert cluster.answers(1) == {"w": Done((2,))}
    assert cluster.members[1].replica.counters.superseded == 1
    cluster.submit(1, "r", Get(b"k"))
    cluster.settle()
    assert cluster.answers(1)["r"] == Done((b"ov",))


def test_losing_leadership_decides_nothing_about_an_open_proposal() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut = {(2, 1), (3, 1)}
    cluster.submit(1, "w", Append(b"k", b"v"))
    cluster.settle()
    cluster.advance(900)
    assert cluster.answers(1) == {}
    cluster.cut.clear()
    cluster.advance(900)
    assert cluster.answers(1) == {"w": Done((1,))}


def test_a_forward_whose_link_broke_is_unknown_and_not_sent_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut = {(2, 1)}
    cluster.submit(2, "w", Append(b"k", b"v"))
    cluster.settle()
    cluster.members[2].replica.link_lost(NodeId(1))
    cluster.cut.clear()
    cluster.advance(200)
    assert cluster.answers(2) == {"w": Unknown()}
    assert len([one for _, one in cluster.dropped if isinstance(one.message, Forward)]) == 1


def test_a_forward_that_never_left_is_tried_again() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.cut = {(2, 1)}
    cluster.submit(2, "w", Append(b"k", b"v"))
    cluster.settle()
    _, outbound = cluster.dropped[-1]
    cluster.members[2].replica.unsent(outbound.to, outbound.message)
    cluster.cut.clear()
    cluster.advance(200)
    assert cluster.answers(2) == {"w": Done((1,))}


def test_a_forward_that_arrives_twice_is_done_once() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    forward = Forward(7, 1, (Append(b"k", b"v"),), True)
    for _ in range(2):
        leader.step(NodeId(2), forward, cluster.now(1))
    cluster.settle()
    cluster.submit(1, "r", Get(b"k"))
    cluster.settle()
    assert cluster.answers(1) == {"r": Done((b"v",))}


def test_a_read_at_a_leader_that_was_deposed_unnoticed_is_not_stale() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.submit(1, "old", Set(b"k", b"old"))
    cluster.settle()
    cluster.isolate(1)
    leader = cluster.await_leader(but=1)
    cluster.submit(leader, "new", Set(b"k", b"new"))
    cluster.settle()
    cluster.submit(1, "r", Get(b"k"))
    cluster.settle()
    assert "r" not in cluster.answers(1)
    cluster.cut.clear()
    cluster.advance(500)
    assert cluster.answers(1)["r"] == Done((b"new",))


def test_a_stopping_replica_answers_everybody() -> None:
    cluster = Cluster()
    cluster.elect(1)
    for member in cluster.members.values():
        member.disk_held = True
    cluster.submit(1, "proposed", Set(b"k", b"v"))
    cluster.settle()
    cluster.submit(1, "waiting", Get(b"k"))
    cluster.members[1].replica.stop()
    cluster.settle()
    assert cluster.answers(1) == {"proposed": Unknown(), "waiting": NotDone(Reason.STOPPING)}


def test_leadership_is_handed_over_after_open_proposals_were_answered() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    cluster.submit(1, "w", Set(b"k", b"v"))
    assert leader.transfer_leadership(None, cluster.now(1))
    cluster.settle()
    cluster.advance(100)
    assert cluster.answers(1) == {"w": Done((OK,))}
    assert not leader.leads
    assert any(member.replica.leads for member in cluster.members.values())


def test_writes_are_refused_while_the_disk_is_nearly_full_and_come_back() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    for member in cluster.members.values():
        member.replica.tend_disk(low=True, behind=False, urgent=False)
    cluster.advance(100)
    cluster.submit(1, "full", Set(b"k", b"v"))
    cluster.submit(1, "read", Get(b"k"))
    cluster.settle()
    assert cluster.answers(1) == {"full": NotDone(Reason.LOW_SPACE), "read": Done((None,))}
    for member in cluster.members.values():
        member.replica.tend_disk(low=False, behind=False, urgent=False)
    cluster.advance(4_000)
    cluster.submit(leader.me, "again", Set(b"k", b"v"))
    cluster.settle()
    assert cluster.answers(1)["again"] == Done((OK,))


def test_a_leader_whose_disk_hangs_answers_unknown_and_lets_another_lead() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.members[1].disk_held = True
    cluster.submit(1, "w", Set(b"k", b"v"))
    cluster.settle()
    cluster.advance(800)
    assert cluster.answers(1) == {"w": Unknown()}
    other = cluster.await_leader(but=1)
    cluster.submit(other, "r", Get(b"k"))
    cluster.settle()
    assert cluster.answers(other) == {"r": Done((b"v",))}


def test_what_arrives_while_a_batch_is_under_way_shares_the_next_entry() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    before = leader.consensus.last_index
    for member in cluster.members.values():
        member.disk_held = True
    for number in range(10):
        cluster.submit(1, number, Append(b"k", b"%d" % number))
        cluster.settle()
    assert leader.consensus.last_index == before + 1
    for member in cluster.members.values():
        member.disk_held = False
    for node in cluster.members:
        cluster.sync(node)
    cluster.settle()
    assert leader.consensus.last_index == before + 2
    assert cluster.answers(1) == {number: Done((number + 1,)) for number in range(10)}


def test_a_write_that_was_never_proposed_is_refused_and_not_unknown() -> None:
    cluster = Cluster()
    cluster.elect(1)
    cluster.isolate(1)
    cluster.submit(1, "under way", Append(b"k", b"1"))
    cluster.settle()
    cluster.submit(1, "waiting", Append(b"k", b"2"))
    cluster.advance(3_200)
    assert cluster.answers(1) == {"under way": Unknown(), "waiting": NotDone(Reason.NO_QUORUM)}


def test_writes_wait_while_the_space_cannot_keep_up_and_are_refused_after_their_bound() -> None:
    cluster = Cluster()
    leader = cluster.elect(1)
    leader.tend_disk(low=False, behind=True, urgent=False)
    cluster.submit(1, "long", Set(b"k", b"v"))
    cluster.settle()
    cluster.submit(1, "read", Get(b"k"))
    cluster.advance(1_600)
    assert cluster.answers(1) == {"long": NotDone(Reason.OVERLOADED), "read": Done((None,))}
    cluster.submit(1, "short", Set(b"k", b"v"))
    cluster.advance(500)
    leader.tend_disk(low=False, behind=False, urgent=False)
    cluster.settle()
    assert cluster.answers(1)["short"] == Done((OK,))
