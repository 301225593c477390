"""Does a Multi-Paxos group elect, accept, choose, read and recover as the contract says?"""

from collections.abc import Iterable

import pytest

from paxosworld import PaxosWorld
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.messages import Accept, Accepted, Beat, Promise, Wanted
from pnyx.consensus.multipaxos.state import FAILURES_MAX, Heard
from pnyx.consensus.ready import HardState, Mark, Position, Refused, Role
from pnyx.ids import Index, NodeId, Term
from raftworld import Flight, World, entries, terms

ONE_BY_ONE = MemberSettings(append_entries_max=1)


def nodes(*numbers: int) -> tuple[NodeId, ...]:
    return tuple(NodeId(number) for number in numbers)


def leads(world: World, number: int) -> None:
    world[number].campaign(world.now_ms)
    world.settle()
    assert world.leader() == number


def holding(*logs: tuple[int, list[int]], settings: MemberSettings | None = None) -> PaxosWorld:
    """Members whose logs of these births were accepted in these rounds."""
    world = PaxosWorld(len(logs), settings=settings)
    newest = max(accepted for accepted, _ in logs)
    for number, (accepted, births) in enumerate(logs, start=1):
        world.crash(number)
        disk = world.members[NodeId(number)].disk
        disk.entries, disk.accepted = list(entries(*births)), Term(accepted)
        disk.hard_state = HardState(Term(newest))
        world.restart(number)
    return world


def keep_only(world: World, pairs: Iterable[tuple[int, int]]) -> None:
    kept = set(pairs)
    for one in world.members:
        for other in world.members:
            if one < other and (one, other) not in kept:
                world.cut(one, other)


# Phase 1.


def test_a_leader_needs_no_entry_of_its_own_to_choose_what_it_adopted() -> None:
    world = holding((1, [1, 1]), (1, [1]), (1, [1]))
    leads(world, 1)
    assert (world[1].commit_index, terms(world[3])) == (2, [1, 1])


def test_any_log_may_lead_and_adopts_what_is_chosen() -> None:
    world = PaxosWorld(3)
    leads(world, 1)
    world.isolate(3)
    world.write(1, b"a", b"b")
    world.crash(1)
    world.heal()
    leads(world, 3)
    assert [entry.payload for entry in world.members[NodeId(3)].applied] == [b"a", b"b"]


def test_an_entry_that_is_proposed_again_keeps_the_ballot_it_was_born_in() -> None:
    world = holding((3, [3, 3]), (3, [3]), (2, [2, 2, 2]))
    leads(world, 2)
    world.write(2, b"x")
    assert terms(world[3]) == [3, 3, 4]


def test_the_highest_accepted_ballot_wins_over_the_longer_log() -> None:
    world = holding((2, [1, 1, 1, 1]), (3, [1, 3]), (2, [1, 1, 1]))
    leads(world, 1)
    assert [terms(world[n]) for n in (1, 2, 3)] == [[1, 3]] * 3


def test_of_one_ballot_the_longer_log_is_adopted_from_where_ours_ends() -> None:
    world = holding((2, [1]), (2, [1, 2, 2]), (1, [1]))
    world[1].campaign(world.now_ms)
    seen: list[Promise] = []

    def look(flight: Flight) -> bool:
        if isinstance(flight.message, Promise) and flight.message.accepted == 2:
            seen.append(flight.message)
        return False

    world.drops = look
    world.settle()
    assert seen[0].previous_index == 1
    assert terms(world[1]) == [1, 2, 2]


def test_a_long_suffix_comes_page_by_page_and_is_adopted_whole() -> None:
    world = holding((1, [1]), (2, [1, 2, 2, 2, 2]), (1, [1]), settings=ONE_BY_ONE)
    leads(world, 1)
    assert [terms(world[n]) for n in (1, 3)] == [[1, 2, 2, 2, 2]] * 2


def test_a_suffix_that_takes_longer_than_a_timeout_is_fetched_in_one_ballot() -> None:
    # Seed 5081 of the swarm: links of 25 ms and pages of two entries. Nobody else stood, for a
    # candidate is happy; and it began anew at each timeout.
    world = holding((1, [1]), (1, [1] * 60), (1, [1] * 60), settings=ONE_BY_ONE)
    world[1].campaign(world.now_ms)
    term, began_ms = world[1].term, world.now_ms
    while world[1].role is not Role.LEADER:
        world.advance(25)
        world.take_all()
        while sum(world.sync(number) for number in (1, 2, 3)):
            pass
        for _ in range(len(world.flights)):
            world.deliver(world.flights.popleft())
        for member in world.running:
            member.core.tick(world.now_ms)
        assert world.now_ms - began_ms < 10_000, "nobody ever leads"
    assert world[1].term == term
    assert world.now_ms - began_ms > world.settings.election_ms_max


def test_a_promise_of_an_earlier_ballot_is_not_counted() -> None:
    world = PaxosWorld(3)
    late: list[Flight] = []

    def delay(flight: Flight) -> bool:
        if isinstance(flight.message, Promise):
            late.append(flight)
        return isinstance(flight.message, Promise)

    world.drops = delay
    world[1].campaign(world.now_ms)
    world.settle()
    world[1].campaign(world.now_ms)
    world.drops = lambda _flight: True
    world.settle()
    for flight in late[:2]:
        world.deliver(flight)
    assert world[1].role is Role.CANDIDATE


def test_two_ballots_of_one_round_cannot_both_be_promised() -> None:
    world = PaxosWorld(5)
    world[1].campaign(world.now_ms)
    world[2].campaign(world.now_ms)
    world.settle()
    assert [world[n].role for n in (1, 2)].count(Role.LEADER) <= 1


@pytest.mark.parametrize("crashed", [True, False])
def test_no_node_leads_twice_with_one_ballot(crashed: bool) -> None:
    world = PaxosWorld(3)
    leads(world, 1)
    before = world[1].term
    if crashed:
        world.crash(1)
        world.restart(1)
        assert world[1].role is Role.FOLLOWER
        world.run(10)
    leads(world, 2)
    leads(world, 1)
    assert world[1].term > before


def test_a_candidate_behind_what_the_others_hold_is_sent_their_state() -> None:
    world = lacks_what_is_compacted()
    world.run_until(lambda: world[3].commit_index == 3)
    assert world.leader() in {2, 3}


def lacks_what_is_compacted() -> PaxosWorld:
    """Three members; the third lacks what the others have compacted, and the leader is gone."""
    world = PaxosWorld(3)
    leads(world, 1)
    world.isolate(3)
    world.write(1, b"a", b"b", b"c")
    for number in (1, 2):
        world.compact(number, 3)
    world.heal()
    world.crash(1)
    return world


def test_a_candidate_that_does_not_get_a_state_in_time_lets_others_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stood again at once, and counted as happy all the time: swarm@multipaxos 25061."""
    world = lacks_what_is_compacted()
    monkeypatch.setattr(world, "stream", lambda sender, to: None)
    world[3].campaign(world.now_ms)
    world.settle()
    assert world[3].role is Role.CANDIDATE
    world.run(6 * world.settings.election_ms_max)
    assert world.leader() == 2


def test_a_candidate_that_may_stand_no_more_is_none_for_long() -> None:
    """A snapshot brought the membership; nobody stood beside it: swarm@multipaxos 25570."""
    world = lacks_what_is_compacted()
    world.isolate(3)
    world[3].campaign(world.now_ms)
    world.settle()
    world[3].snapshot_installed(Mark(Index(3), Term(1)), Membership(nodes(1, 2)), world.now_ms)
    roles = [world[3].role]
    world.run(2 * world.settings.election_ms_max)
    assert [*roles, world[3].role] == [Role.CANDIDATE, Role.FOLLOWER]


def test_a_candidacy_lasts_the_longer_the_more_came_to_nothing() -> None:
    """On slow disks no candidate won in time, and four of four duelled: swarm@multipaxos 25659."""
    world = PaxosWorld(3)
    leads(world, 1)
    world.isolate(3)
    least_ms, most_ms = world.settings.election_ms_min, world.settings.election_ms_max
    for failures in range(FAILURES_MAX + 2):
        world[3].campaign(world.now_ms)
        began_ms, times = world.now_ms, 1 + min(failures, FAILURES_MAX)
        world.run_until(lambda: world[3].role is Role.FOLLOWER)
        assert times * least_ms <= world.now_ms - began_ms <= times * most_ms
    world.heal()
    leads(world, 1)
    world.run_until(lambda: not world[3].state.failures)


def test_who_stands_says_so_before_its_round_is_durable() -> None:
    """Else all who see nobody happy stand while the first one's disk is busy: 24527."""
    world = PaxosWorld(3)
    leads(world, 1)
    before = world[2].term
    world[2].campaign(world.now_ms)
    ready = world.take(2)
    assert ready is not None
    said = {envelope.to: envelope.message for envelope in ready.send}
    assert set(said) == set(nodes(1, 3))
    assert all(type(each) is Beat and each.happy and each.term == before for each in said.values())
    heard = world[3].state.heard[NodeId(2)] = Heard(world.now_ms, happy=False)
    world[3].step(NodeId(2), said[NodeId(3)], world.now_ms)
    assert heard.happy


def test_whose_promises_count_is_said_by_the_log_that_comes_out_of_them() -> None:
    """Otherwise two majorities of two memberships could have two leaders."""
    world = PaxosWorld(5, membership=Membership(nodes(1, 2, 3), learners=nodes(4, 5)))
    leads(world, 1)
    world.isolate(3)
    target = Membership(nodes(1, 4, 5))
    assert isinstance(world[1].change_membership(target, world.now_ms), Position)
    world.settle()
    assert world[1].membership == target
    world.isolate(2, 3)
    world.cuts -= {nodes(2, 3), nodes(3, 2)}
    world[3].campaign(world.now_ms)
    world.settle()
    assert world[3].role is not Role.LEADER


# Phase 2.


def test_a_log_is_accepted_whole_or_what_was_chosen_in_an_older_ballot_is_lost() -> None:
    """Entries 1 to 3 are chosen by 1 and 2; half of them in a newer ballot would hide the rest."""
    world = holding((2, [2, 2, 2]), (2, [2, 2, 2]), (3, [2, 2, 2]), settings=ONE_BY_ONE)
    world.isolate(2)
    world.drops = lambda flight: (
        isinstance(flight.message, Accept) and flight.message.previous_index == 1
    )
    leads(world, 3)
    world.run(100)
    assert (world[1]._state.accepted, terms(world[1])) == (2, [2, 2, 2])
    world.drops = lambda _flight: False
    world.crash(3)
    world.heal()
    world.run_until(lambda: world.leader() is not None)
    world.run(100)
    assert terms(world[1]) == [2, 2, 2]


def test_a_lost_accept_is_asked_for_again() -> None:
    world = PaxosWorld(3)
    leads(world, 1)
    world.drops = lambda flight: isinstance(flight.message, Accept) and flight.to == 2
    world.write(1, b"lost")
    world.drops = lambda _flight: False
    world.write(1, b"after")
    assert world.sent["Wanted"] > 0
    world.run(200)
    assert world[2].commit_index == 2


def test_word_of_what_is_chosen_waits_for_an_accept_and_leaves_alone_when_it_is_due() -> None:
    world = PaxosWorld(3, settings=MemberSettings(notice_ms=3))
    leads(world, 1)
    world.write(1, b"first")
    assert (world[1].commit_index, world[2].commit_index) == (1, 0)
    world.write(1, b"second")
    assert (world[1].commit_index, world[2].commit_index) == (2, 1)
    assert world.sent["CommitIndex"] == 0
    world.run(3)
    assert world[2].commit_index == 2
    assert world.sent["CommitIndex"] == 2


def test_an_acceptance_counts_when_it_is_durable_and_the_leaders_own_too() -> None:
    world = PaxosWorld(3)
    leads(world, 1)
    for number in (1, 2):
        world.members[NodeId(number)].disk_hangs = True
    world.isolate(3)
    world.propose(1)
    world.settle()
    assert world[1].commit_index == 0
    world.members[NodeId(2)].disk_hangs = False
    world.settle()
    assert world[1].commit_index == 0
    world.members[NodeId(1)].disk_hangs = False
    world.settle()
    assert world[1].commit_index == 1


def test_accepting_raises_the_promise() -> None:
    world = holding((1, [1]), (1, [1]), (1, [1]))
    accept = Accept(Term(5), Index(1), Term(1), (), Index(1), Index(0))
    world.deliver(Flight(NodeId(1), NodeId(2), accept))
    world.settle()
    assert world.members[NodeId(2)].disk.hard_state.term == 5
    stale = Accept(Term(4), Index(1), Term(1), entries(4, after=1), Index(1), Index(0))
    world.deliver(Flight(NodeId(3), NodeId(2), stale))
    assert terms(world[2]) == [1]


def test_chosen_entries_reach_a_follower_that_is_far_behind_without_being_staged() -> None:
    world = PaxosWorld(3, settings=ONE_BY_ONE)
    leads(world, 1)
    world.isolate(3)
    world.write(1, *[b"%d" % number for number in range(9)])
    world.crash(2)
    world.heal()
    world.restart(2)
    leads(world, 2)
    world.run(500)
    assert (world[3].commit_index, world[3]._state.staging) == (9, None)


def test_a_snapshot_that_disagrees_is_accepted_in_the_ballot_of_its_last_entry() -> None:
    world = holding((1, []), (7, [1, 7, 7]), (1, []))
    world[2].snapshot_installed(Mark(Index(2), Term(3)), world.membership, world.now_ms)
    world.settle()
    assert (world[2]._state.accepted, world[2].last_index) == (3, 2)
    assert world.members[NodeId(2)].disk.accepted == 3


def test_an_acceptance_of_what_was_never_sent_counts_for_nothing() -> None:
    world = PaxosWorld(3)
    leads(world, 1)
    world.deliver(Flight(NodeId(2), NodeId(1), Accepted(world[1].term, Index(99))))
    world.deliver(Flight(NodeId(2), NodeId(1), Wanted(world[1].term, Index(99), Index(77))))
    world.write(1, b"x")
    assert world[1].commit_index == 1


def test_a_peer_that_lost_what_it_had_is_asked_once_a_round_of_heartbeats() -> None:
    world = PaxosWorld(3)
    leads(world, 1)
    world.write(1, b"x")
    progress = world[1]._state.peers[NodeId(3)]
    world[1].peer_unreachable(NodeId(3))
    progress.answered(progress.probe_round + 1)
    assert not progress.paused
    nothing = Wanted(world[1].term, progress.match, Index(0))
    world[1].step(NodeId(3), nothing, world.now_ms)
    assert (progress.match, progress.next, progress.paused) == (1, 2, True)


# Reads, transfer, members.


def test_reads_wait_until_what_was_adopted_is_chosen() -> None:
    world = holding((2, [2, 2]), (2, [2]), (1, []))
    world.drops = lambda flight: isinstance(flight.message, Accepted)
    leads(world, 1)
    refused = world.read(1)
    world.settle()
    assert world.members[NodeId(1)].reads[refused] is None
    world.drops = lambda _flight: False
    world.run(500)
    answered = world.read(3)
    world.settle()
    assert world.members[NodeId(3)].reads[answered] == 2


def test_a_leader_that_was_replaced_confirms_no_read() -> None:
    world = PaxosWorld(5)
    leads(world, 1)
    world.isolate(1, 2)
    leads_elsewhere = world[3]
    leads_elsewhere.campaign(world.now_ms)
    world.settle()
    ticket = world.read(1)
    world.run(400)
    assert world.members[NodeId(1)].reads[ticket] is None


def test_leadership_moves_on_purpose() -> None:
    world = PaxosWorld(3)
    leads(world, 1)
    world.write(1, b"x")
    assert world[1].transfer_leadership(NodeId(2), world.now_ms)
    assert isinstance(world.propose(1), Refused)
    world.settle()
    assert world.leader() == 2


def test_members_change_and_a_removed_leader_hands_over() -> None:
    world = PaxosWorld(4, membership=Membership(nodes(1, 2, 3), learners=nodes(4)))
    leads(world, 1)
    world[1].change_membership(Membership(nodes(2, 3, 4)), world.now_ms)
    world.run(1000)
    assert world.leader() in {2, 3, 4}
    assert world[2].membership == Membership(nodes(2, 3, 4))


# Partial connectivity (OmniPaxos, EuroSys '23 §2).


@pytest.mark.parametrize(
    ("kept", "new"),
    [
        ([(1, 3), (2, 3), (3, 4), (3, 5)], 3),
        ([(2, 3), (3, 4), (3, 5)], 3),
    ],
    ids=["quorum-loss", "constrained"],
)
def test_who_alone_has_a_quorum_leads_within_four_election_timeouts(
    kept: list[tuple[int, int]], new: int
) -> None:
    for seed in range(5):
        world = PaxosWorld(5, seed=seed)
        world.run(700)
        leads(world, 1)
        keep_only(world, kept)
        world.run(4 * world.settings.election_ms_max)
        assert world.leader() == new
        world.write(new, b"x")
        assert world[new].commit_index == world[new].last_index


def test_a_node_that_cannot_hear_the_leader_disturbs_nobody_who_can() -> None:
    """Chained: 1 - 2 - 3, and 1 leads."""
    world = PaxosWorld(3)
    world.run(700)
    leads(world, 1)
    keep_only(world, [(1, 2), (2, 3)])
    before = world[1].term
    world.run(20 * world.settings.election_ms_max)
    assert (world.leader(), world[1].term) == (1, before)


def test_a_node_without_a_quorum_never_stands() -> None:
    world = PaxosWorld(3)
    world.run(700)
    leads(world, 1)
    world.isolate(3)
    world.run(10 * world.settings.election_ms_max)
    assert world[3].term == world[1].term
