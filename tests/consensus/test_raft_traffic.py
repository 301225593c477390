"""How many messages and bytes does Raft need? Scenarios R-X1, R-X2, R-B2, R-B9, R-B10, K-X1."""

from pnyx.consensus.member.messages import CommitIndex
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    HeartbeatReply,
)
from pnyx.ids import Index, NodeId, Term
from raftalone import Alone, append, of_type
from raftworld import World, with_logs


def appends_to(world: World, *numbers: int) -> list[AppendEntries]:
    """Watch what is appended at these members, from now on."""
    seen: list[AppendEntries] = []

    def watch(flight: object) -> bool:
        message = getattr(flight, "message", None)
        if getattr(flight, "to", None) in numbers and isinstance(message, AppendEntries):
            seen.append(message)
        return False

    world.drops = watch
    return seen


def test_a_follower_995_entries_behind_catches_up_after_three_appends() -> None:
    """R-X1: one-by-one back-up needs 995."""
    world = with_logs([1] * 1000, [1] * 1000, [1] * 5)
    seen = appends_to(world, 3)
    world.elect(1)
    assert world.logs_agree()
    assert len(seen) <= 3


def test_logs_with_many_conflicting_entries_agree_after_three_appends() -> None:
    """R-X2: one-by-one back-up needs 8."""
    leader = [1, 2, 2, 3, 4, 4, 6, 6, 6, 6, 6, 6]
    world = with_logs(leader, leader, [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3])
    seen = appends_to(world, 3)
    world.elect(1)
    assert world.logs_agree()
    assert len(seen) <= 3


def test_each_conflicting_term_costs_at_most_one_probe() -> None:
    leader = [1] * 5 + [2] * 50 + [5] * 50 + [8] * 50
    follower = [1] * 5 + [3] * 60 + [4] * 60 + [6] * 30 + [7] * 30
    world = with_logs(leader, leader, follower)
    world[1]._state.term = world[2]._state.term = Term(8)
    seen = appends_to(world, 3)
    world.elect(1)
    assert world.logs_agree()
    assert len(seen) <= 6


def test_every_entry_goes_to_every_peer_once() -> None:
    """R-B2: ten commands of 5000 bytes cost no more than three times their size."""
    world = World(3)
    world.elect(1)
    seen = appends_to(world, 2, 3)
    world.write(1, b"small")
    for _ in range(10):
        world.write(1, b"x" * 5000)
    sent = sum(len(entry.payload) for message in seen for entry in message.entries)
    assert sent == 2 * (5 + 10 * 5000)


def test_the_first_election_takes_at_most_thirty_requests() -> None:
    """R-B10, first part."""
    world = World(3)
    world.run_until(lambda: world.leader() is not None)
    assert 1 <= world.requests() <= 30


def test_ten_entries_take_at_most_forty_two_requests() -> None:
    """R-B10, second part: 12 proposals, (10 + 1 + 3) * 3 requests."""
    world = World(3)
    world.elect(1)
    before = world.requests()
    world.write(1, b"first")
    world.write(1, *[b"x"] * 11)
    assert world[3].commit_index == 13
    assert world.requests() - before <= 42


def test_an_idle_second_takes_at_most_sixty_requests() -> None:
    """R-B10, third part."""
    world = World(3)
    world.elect(1)
    world.run(500)
    before = world.requests()
    world.run(1000)
    assert world.requests() - before <= 60


def test_a_commit_does_not_wait_for_a_heartbeat() -> None:
    """K-X1: everybody has applied the command before any time has passed."""
    world = World(3)
    world.elect(1)
    world.run(70)
    started_ms = world.now_ms
    world.write(1, b"at once")
    assert [member.applied[-1].payload for member in world.running] == [b"at once"] * 3
    assert world.now_ms == started_ms


def test_a_follower_with_fifty_lost_proposals_is_brought_back_in_a_few_appends() -> None:
    """R-B9, its heart: two leaders with fifty uncommittable proposals each."""
    world = World(5)
    world.elect(1)
    world.isolate(1, 2)
    for _ in range(50):
        world.propose(1, b"lost")
    world.settle()
    world.run(300)
    world.elect(3)
    world.write(3, *[b"kept"] * 50)
    seen = appends_to(world, 2)
    world.heal()
    world.run(300)
    assert world.logs_agree()
    assert len(seen) <= 6


def test_several_appends_are_acknowledged_once() -> None:
    follower = Alone()
    for index in range(5):
        message = append(1, (index, 1 if index else 0), 1)
        follower.raft.step(NodeId(2), message, follower.now_ms)
    assert follower.says() == [(2, AppendEntriesReply(Term(1), Index(5)))]
    assert [len(write.entries) for write in follower.writes] == [5]


def test_proposals_made_together_share_one_append_and_one_write() -> None:
    leader = Alone().leads()
    before = len(leader.writes)
    for _ in range(30):
        leader.raft.propose(b"x", leader.now_ms)
    said = of_type(leader.says(), AppendEntries)
    assert [len(message.entries) for _, message in said] == [30, 30]
    assert [len(write.entries) for write in leader.writes[before:]] == [30]


def test_peers_at_the_same_place_get_the_same_object() -> None:
    leader = Alone().leads()
    said = of_type(leader.proposes(), AppendEntries)
    assert said[0][1] is said[1][1]


def test_nothing_is_written_when_nothing_must_be_durable() -> None:
    world = World(3)
    world.elect(1)
    world.run(100)
    durable_ids = [member.durable_id for member in world.running]
    world.read(1)
    world.run(2000)
    assert [member.durable_id for member in world.running] == durable_ids


def test_a_member_with_nothing_to_do_says_so() -> None:
    leader = Alone().leads()
    assert leader.raft.ready() is None
    leader.waits(49)
    assert leader.raft.ready() is None


# Notices of what is committed.


def test_a_notice_waits_for_an_append_that_carries_it() -> None:
    leader = Alone(settings=MemberSettings(notice_ms=3)).leads()
    leader.proposes()
    said = leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert leader.raft.commit_index == 2
    assert of_type(said, CommitIndex) == []
    appended = of_type(leader.proposes(), AppendEntries)
    assert [message.commit_index for _, message in appended] == [2, 2]
    assert of_type(leader.waits(3), CommitIndex) == []


def test_a_notice_that_no_append_carries_leaves_when_it_is_due() -> None:
    leader = Alone(settings=MemberSettings(notice_ms=3)).leads()
    leader.proposes()
    leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert leader.raft.deadline_ms == leader.now_ms + 3
    told = of_type(leader.waits(3), CommitIndex)
    assert [(to, message.commit_index) for to, message in told] == [(2, 2)]


# Windows.


def test_messages_in_flight_are_limited_in_number() -> None:
    leader = Alone(settings=MemberSettings(inflight_max=3)).leads()
    said = [one for _ in range(10) for one in leader.proposes()]
    to_2 = [message for to, message in of_type(said, AppendEntries) if to == 2]
    assert len(to_2) == 3
    rest = leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert [len(message.entries) for _, message in of_type(rest, AppendEntries)] == [7]


def test_messages_in_flight_are_limited_in_bytes() -> None:
    leader = Alone(settings=MemberSettings(inflight_bytes_max=1000)).leads()
    said = [one for _ in range(10) for one in leader.proposes(b"x" * 300)]
    to_2 = [message for to, message in of_type(said, AppendEntries) if to == 2]
    assert len(to_2) == 4, "the fourth went while 900 bytes were out"


def test_an_append_is_limited_in_bytes_and_entries_but_never_empty() -> None:
    settings = MemberSettings(append_bytes_max=1000, append_entries_max=5)
    leader = Alone(settings=settings).leads()
    for size in (600, 600, 5000, *[1] * 7):
        leader.raft.propose(b"x" * size, leader.now_ms)
    said = [message for to, message in of_type(leader.says(), AppendEntries) if to == 2]
    assert [len(message.entries) for message in said] == [1, 1, 1, 5, 2]


def test_a_full_window_whose_messages_were_all_lost_opens_again() -> None:
    settings = MemberSettings(inflight_max=4)
    world = World(3, settings=settings)
    world.elect(1)
    world.drops = lambda flight: isinstance(flight.message, AppendEntries) and flight.to == 3
    for _ in range(10):
        world.write(1, b"x")
    world.drops = lambda _flight: False
    world.run(200)
    assert world[3].last_index == 11


def test_a_lost_append_is_noticed_without_a_new_proposal() -> None:
    world = World(3)
    world.elect(1)
    world.drops = lambda flight: isinstance(flight.message, AppendEntries) and flight.to == 3
    world.write(1, b"x")
    world.drops = lambda _flight: False
    world.run(150)
    assert world[3].last_index == 2


def test_a_lost_probe_is_repeated_after_an_answered_heartbeat() -> None:
    leader = Alone(1).leads(agreeing=False)
    said = leader.hears(2, HeartbeatReply(Term(2), 1))
    assert of_type(said, AppendEntries) == [], "that round began with the probe"
    leader.waits(50)
    said = of_type(leader.hears(2, HeartbeatReply(Term(2), 2)), AppendEntries)
    assert [(to, message.previous_index) for to, message in said] == [(2, 1)]


def test_an_unreachable_peer_is_probed_when_it_answers_again() -> None:
    leader = Alone().leads()
    leader.proposes()
    leader.raft.peer_unreachable(NodeId(2))
    assert of_type(leader.proposes(), AppendEntries)[0][0] == 3
    leader.waits(50)
    said = of_type(leader.hears(2, HeartbeatReply(Term(1), 9)), AppendEntries)
    assert [(to, message.previous_index) for to, message in said] == [(2, 1)]
    assert len(said[0][1].entries) == 2


def test_a_heartbeat_is_answered_though_entries_are_missing() -> None:
    world = World(3)
    world.elect(1)
    world.drops = lambda flight: isinstance(flight.message, AppendEntries) and flight.to == 3
    world.write(1, b"x")
    world.run(60)
    assert world.sent["AppendEntriesRefusal"] <= 1, "only the poke is refused, no heartbeat"
    assert world[1].role.name == "LEADER"


def test_a_refusal_in_a_pipeline_makes_one_new_probe() -> None:
    leader = Alone().leads()
    for _ in range(3):
        leader.proposes()
    refusals = [AppendEntriesRefusal(Term(1), Index(i), Index(1), Term(1)) for i in (2, 3)]
    said = [one for refusal in refusals for one in leader.hears(2, refusal)]
    assert [(to, message.previous_index) for to, message in of_type(said, AppendEntries)] == [
        (2, 1)
    ]


def test_a_peer_that_lost_what_it_had_is_asked_once_a_round_of_heartbeats() -> None:
    leader = Alone().leads()
    leader.proposes()
    for peer in (2, 3):
        leader.hears(peer, AppendEntriesReply(Term(1), Index(2)))
    leader.proposes()
    asked: list[list[tuple[NodeId, AppendEntries]]] = []
    for _ in range(5):
        leader.waits(leader.settings.heartbeat_ms)
        said = leader.hears(3, HeartbeatReply(Term(1), leader.raft.state.reads.round))
        asked.append(of_type(said, AppendEntries))
        for _, message in asked[-1]:
            lost = AppendEntriesRefusal(Term(1), message.previous_index, Index(1), Term(1))
            assert leader.hears(3, lost) == []
    assert [len(appends) for appends in asked] == [1] * 5
    assert leader.raft.match_indexes()[NodeId(3)] == 2, "what it said is never taken back"


def test_a_commit_is_told_once() -> None:
    leader = Alone().leads()
    leader.proposes()
    first = leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    again = leader.hears(2, AppendEntriesReply(Term(1), Index(2)))
    assert (len(of_type(first, CommitIndex)), again) == (1, [])


# Beats.


def test_leaders_of_one_clock_beat_at_the_same_moments_if_they_are_to() -> None:
    together = MemberSettings(heartbeat_ms=50, beat_grid_ms=50)
    assert [together.next_beat_ms(now_ms) for now_ms in (100, 101, 149)] == [150, 150, 150]
    apart = MemberSettings(heartbeat_ms=50)
    assert [apart.next_beat_ms(now_ms) for now_ms in (100, 101, 149)] == [150, 151, 199]


def test_an_acknowledgement_of_what_was_never_sent_counts_for_nothing() -> None:
    leader = Alone(1).leads()
    before = leader.raft.match_indexes()
    leader.hears(2, AppendEntriesReply(leader.raft.term, Index(99)))
    assert leader.raft.match_indexes() == before
    assert len(of_type(leader.proposes(), AppendEntries)) == 2


def test_an_answer_to_many_heartbeats_at_once_is_looked_at_while_an_append_is_not_answered() -> (
    None
):
    """The append had its chance: it is to be asked after."""
    leader = Alone(1).leads()
    leader.waits(50)
    term, beats = leader.raft.term, leader.raft.state.reads.round
    answer = leader.raft.quiet_answered(NodeId(2), term, beats, leader.now_ms)
    assert answer is None
    leader.proposes()
    answer = leader.raft.quiet_answered(NodeId(2), term, beats + 1, leader.now_ms)
    assert answer == HeartbeatReply(term, beats + 1)
