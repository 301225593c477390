"""Raft §5.4, Figures 7 and 8: does a leader hold what was committed, and count only its own?"""

import pytest

from pnyx.consensus.raft.messages import AppendEntriesReply, RequestVote, RequestVoteReply
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone
from raftworld import terms, with_logs


@pytest.mark.parametrize(
    ("voter", "last_index", "last_term", "granted"),
    [
        ([1, 1], 2, 1, True),  # the same log
        ([1, 1], 3, 1, True),  # same last term, longer
        ([1, 1], 1, 1, False),  # same last term, shorter
        ([1, 1, 1], 1, 2, True),  # a later term wins, though shorter
        ([1, 2], 9, 1, False),  # an older term loses, though longer
        ([], 0, 0, True),  # two empty logs
    ],
)
def test_a_voter_compares_the_last_terms_and_then_the_lengths(
    voter: list[int], last_index: int, last_term: int, granted: bool
) -> None:
    follower = Alone(*voter)
    request = RequestVote(Term(5), Index(last_index), Term(last_term), transfer=False)
    assert follower.hears(2, request) == [(2, RequestVoteReply(Term(5), granted))]


def test_a_candidate_that_lacks_a_committed_entry_is_not_elected() -> None:
    world = with_logs([1, 1], [1, 1, 1], [1, 1, 1])
    world.now_ms += 300
    world[1].campaign(world.now_ms)
    world.settle()
    assert world[1].role is Role.FOLLOWER


# Figure 7: the leader of term 8 and six followers it might meet.
LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
FOLLOWERS = {
    "a": [1, 1, 1, 4, 4, 5, 5, 6, 6],
    "b": [1, 1, 1, 4],
    "c": [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    "d": [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    "e": [1, 1, 1, 4, 4, 4, 4],
    "f": [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
}


@pytest.mark.parametrize("letter", FOLLOWERS)
def test_figure_7_every_follower_ends_with_the_leader_s_log(letter: str) -> None:
    world = with_logs(LEADER, FOLLOWERS[letter], LEADER[:9])
    world.adopt_term(7)
    # With the logs of c and d the third vote decides, as in the figure.
    world.elect(1)
    world.run(100)
    assert terms(world[1]) == terms(world[2]) == terms(world[3]) == [*LEADER, 8]


@pytest.mark.parametrize("letter", FOLLOWERS)
def test_figure_7_no_conflicting_term_is_probed_twice(letter: str) -> None:
    world = with_logs(LEADER, FOLLOWERS[letter], LEADER[:9])
    world.adopt_term(7)
    probes: list[int] = []

    def watch(flight: object) -> bool:
        message = getattr(flight, "message", None)
        if getattr(flight, "to", 0) == 2 and type(message).__name__ == "AppendEntries":
            probes.append(message.previous_index)  # type: ignore[union-attr]
        return False

    world.drops = watch
    world.elect(1)
    conflicting = len(set(FOLLOWERS[letter]) - set(LEADER)) + 1
    assert len(probes) <= 1 + conflicting + 1, "one to find out, one a term, one that agrees"


def test_figure_8_an_old_entry_on_a_majority_is_not_committed() -> None:
    """(c): S1 leads in term 4 and its entry 2 of term 2 is on S1, S2 and S3."""
    s1 = Alone(1, 2, term=3, size=5)
    s1.leads(agreeing=False)
    assert (s1.raft.term, s1.log) == (4, [1, 2, 4])
    for peer in (2, 3):
        s1.hears(peer, AppendEntriesReply(Term(4), Index(2)))
    assert s1.raft.match_indexes() == {2: 2, 3: 2, 4: 0, 5: 0}
    assert s1.raft.commit_index == 0


def test_figure_8_an_entry_of_the_own_term_commits_the_old_one_with_it() -> None:
    """(e): once entry 3 of term 4 is on a majority, entry 2 is safe too."""
    s1 = Alone(1, 2, term=3, size=5).leads(agreeing=False)
    for peer in (2, 3):
        s1.hears(peer, AppendEntriesReply(Term(4), Index(3)))
    assert s1.raft.commit_index == 3


def test_figure_8_the_old_entry_can_still_be_overwritten() -> None:
    """(d): S5, whose entry 2 is of term 3, wins term 5 and overwrites entry 2 everywhere."""
    world = with_logs([1, 2], [1, 2], [1, 2], [1], [1, 3])
    world.adopt_term(4)
    world.crash(1)
    world.elect(5)
    world.restart(1)
    world.run(200)
    assert [terms(world[number]) for number in range(1, 6)] == [[1, 3, 5]] * 5


def test_figure_8_with_the_own_term_committed_the_other_cannot_win() -> None:
    """(e): with entry 3 of term 4 on a majority S5 cannot be elected."""
    world = with_logs([1, 2, 4], [1, 2, 4], [1, 2, 4], [1], [1, 3])
    world.now_ms += 300
    world[5].campaign(world.now_ms)
    world.settle()
    assert world[5].role is Role.FOLLOWER
    world.run_until(lambda: world.leader() is not None)
    assert world.leader() in (1, 2, 3)


def test_a_leader_begins_its_term_with_an_empty_entry() -> None:
    leader = Alone(1, 1).leads(agreeing=False)
    assert leader.log == [1, 1, 2]
    leader.hears(2, AppendEntriesReply(Term(2), Index(3)))
    assert leader.raft.commit_index == 3, "it learns what was committed without a client (§8)"


def test_a_leader_counts_itself_only_when_its_own_write_is_durable() -> None:
    leader = Alone(size=3).leads()
    leader.disk_held = True
    leader.proposes()
    assert leader.raft.commit_index == 1
    leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert leader.raft.commit_index == 1, "one of three holds it"
    leader.hears(3, AppendEntriesReply(Term(1), Index(2)))
    assert leader.raft.commit_index == 2, "the others' disks are a quorum (dissertation §10.2.1)"
    assert [entry.index for entry in leader.applied] == [1], "not durable here yet"
    leader.syncs()
    assert [entry.index for entry in leader.applied] == [1, 2]


def test_a_single_server_commits_only_what_is_durable() -> None:
    leader = Alone(size=1).leads()
    leader.disk_held = True
    leader.proposes()
    assert leader.raft.commit_index == 1
    leader.syncs()
    assert leader.raft.commit_index == 2


def test_log_matching_holds_after_many_leaders() -> None:
    world = with_logs(*([[]] * 5))
    for turn in range(12):
        leader = turn % 5 + 1
        world.elect(leader)
        world.propose(leader)
        world.take(leader)
        world.isolate(leader)
        world.flights.clear()
        world.run(700)
        world.heal()
        world.run(700)
    world.check_all()
    assert world.logs_agree()
    assert len(world.leaders) >= 12
    assert all(member.core.commit_index > 12 for member in world.members.values())
    assert world.members[NodeId(1)].applied == world.members[NodeId(5)].applied
