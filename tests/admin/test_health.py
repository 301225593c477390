"""One word for what all nodes say, an absent one included."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest
from msgspec import structs

from pnyx.admin import health
from pnyx.admin.health import Asked, Health, Report, ReportedGroup, ReportedMember, Word, judge

THREE = tuple(ReportedMember(f"n{n}", n, reachable=True) for n in (1, 2, 3))
LABELS = ("n1", "n2", "n3")


def asked(
    label: str, *, leader: str | None = "n1", term: int = 1, hears: tuple[str, ...] = LABELS
) -> Asked:
    ids = {name: number for number, name in enumerate(LABELS, start=1)}
    members = tuple(ReportedMember(name, ids[name], name in hears) for name in LABELS)
    led_by = None if leader is None else ids[leader]
    return Asked(label, "127.0.0.1:1", report_of(label, ids[label], members, led_by, term))


def report_of(
    label: str,
    me: int,
    members: tuple[ReportedMember, ...],
    leader: int | None = 1,
    term: int = 1,
) -> Report:
    """What a node says whose cluster has the controller and one group, both led by one node."""
    voters = tuple(member.node for member in members if member.voter)
    quorum = leader is not None
    return Report(
        label,
        me,
        term,
        quorum,
        leader,
        members,
        ReportedGroup(0, leader, term, quorum, voters),
        (ReportedGroup(1, leader, term, quorum, voters, shards=4),),
        (1, 1, 1, 1),
        configuration=1,
    )


def silent(label: str) -> Asked:
    return Asked(label, "127.0.0.1:1", None, "connection refused")


def test_all_up_under_one_leader_is_healthy_and_one_may_go() -> None:
    seen = judge([asked(label) for label in LABELS])
    assert (seen.word, seen.leader, seen.may_lose, seen.exit_code) == (Word.HEALTHY, "n1", 1, 0)


def test_a_silent_node_is_never_healthy_whatever_the_others_say() -> None:
    seen = judge([asked("n1"), asked("n2"), silent("n3")])
    assert (seen.word, seen.may_lose, seen.exit_code) == (Word.DEGRADED, 0, 3)
    assert seen.down == (("n3", "connection refused"),)
    assert seen.slots_served == 16384


def test_a_node_that_the_leader_does_not_hear_is_down_though_it_answers() -> None:
    seen = judge([asked("n1", hears=("n1", "n2")), asked("n2"), asked("n3", leader=None)])
    assert seen.word is Word.DEGRADED
    assert seen.down == (("n3", "is cut off from the leader n1"),)
    assert seen.answering == 3


def test_an_old_leader_that_was_cut_off_does_not_count() -> None:
    old = asked("n1", leader="n1", term=1)
    new = [asked(label, leader="n2", term=2, hears=("n2", "n3")) for label in ("n2", "n3")]
    seen = judge([old, *new])
    assert seen.leader == "n2"
    assert [label for label, _ in seen.down] == ["n1"]


@pytest.mark.parametrize(
    "others",
    [
        [silent("n2"), silent("n3")],
        [asked("n2", leader=None), silent("n3")],
        [asked("n2"), asked("n3")],
    ],
)
def test_a_leader_that_has_not_noticed_yet_that_a_majority_is_gone_serves_nothing(
    others: list[Asked],
) -> None:
    """n2 was paused and n3 killed a moment ago: its word was believed, and health was PARTIAL."""
    links = LABELS if others[0].report is None else ("n1",)
    seen = judge([asked("n1", hears=links), *others])
    assert (seen.word, seen.slots_served, seen.leader, seen.leaders) == (Word.DOWN, 0, None, ())


def test_a_change_under_way_stops_with_a_majority_of_those_it_leaves_behind() -> None:
    report = report_of("n1", 1, (N1, N2, N3))
    joint = structs.replace(report.groups[0], voters=(1,), outgoing=(1, 2, 3))
    told = structs.replace(report, groups=(joint,))
    seen = judge([Asked("n1", "127.0.0.1:1", told), silent("n2"), silent("n3")])
    assert seen.word is Word.DOWN


@pytest.mark.parametrize("answers", [[asked(label, leader=None) for label in LABELS], []])
def test_without_a_leader_nothing_is_served(answers: list[Asked]) -> None:
    seen = judge(answers or [silent(label) for label in LABELS])
    assert (seen.word, seen.slots_served, seen.may_lose, seen.exit_code) == (Word.DOWN, 0, 0, 4)


def test_the_sentence_names_who_is_missing_and_how_many_more_may_go() -> None:
    sentence = judge([asked("n1"), asked("n2"), silent("n3")]).sentence()
    assert sentence == (
        "DEGRADED  16384/16384 slots served; n3 connection refused; may lose 0 more nodes"
    )


def seen_by_leader(*members: ReportedMember) -> Asked:
    return Asked("n1", "127.0.0.1:1", report_of("n1", 1, members))


def other(label: str, node: int) -> Asked:
    return Asked(label, "127.0.0.1:1", report_of(label, node, ()))


N1, N2, N3 = (ReportedMember(f"n{n}", n, reachable=True) for n in (1, 2, 3))


def test_nodes_without_disk_space_are_not_healthy_and_the_groups_that_refuse_are_named() -> None:
    def low(one: Asked) -> Asked:
        assert one.report is not None
        return replace(one, report=structs.replace(one.report, low_space=True))

    seen = judge([asked("n1"), low(asked("n2")), low(asked("n3"))])
    assert (seen.word, seen.exit_code, seen.full) == (Word.DEGRADED, 3, (0, 1))
    assert seen.sentence() == (
        "DEGRADED  16384/16384 slots served; n2, n3 short of disk space, so the controller, g1 "
        "refuse writes; may lose 0 more nodes"
    )
    one = judge([asked("n1"), low(asked("n2")), asked("n3")])
    assert (one.word, one.low, one.full) == (Word.DEGRADED, ("n2",), ())
    assert one.may_lose == 0, "a log that cannot grow is in no majority"


def test_a_cluster_that_cannot_begin_for_want_of_space_says_so() -> None:
    answers = [asked(label) for label in LABELS]
    low = [
        replace(one, report=structs.replace(one.report, low_space=True, owners=(), groups=()))
        for one in answers
        if one.report is not None
    ]
    seen = judge(low)
    assert seen.word is Word.DOWN
    assert seen.sentence().endswith("no leader with a majority; n1, n2, n3 short of disk space")


def test_a_group_too_narrow_to_lose_a_node_is_named_and_healthy() -> None:
    answers = [asked(label) for label in LABELS]
    report = answers[0].report
    assert report is not None
    narrow = ReportedGroup(2, 1, 1, quorum=True, voters=(1, 2))
    both = structs.replace(report, groups=(*report.groups, narrow))
    seen = judge([replace(answers[0], report=both), *answers[1:]])
    assert seen.sentence() == (
        "HEALTHY  16384/16384 slots served; g2 is on 2 nodes only; may lose 0 more nodes"
    )


def test_a_learner_is_shown_and_never_counted() -> None:
    learner = ReportedMember("n4", 4, reachable=True, voter=False)
    asked_all = [
        seen_by_leader(N1, N2, N3, learner),
        other("n2", 2),
        other("n3", 3),
        other("n4", 4),
    ]
    seen = judge(asked_all)
    assert (seen.word, seen.learners, seen.may_lose) == (Word.HEALTHY, ("n4",), 1)


def test_who_may_be_lost_follows_the_membership_and_not_who_was_asked() -> None:
    members = [ReportedMember(f"n{n}", n, reachable=True) for n in range(1, 6)]
    seen = judge([seen_by_leader(*members), *(other(f"n{n}", n) for n in range(2, 6))])
    assert (seen.word, seen.may_lose) == (Word.HEALTHY, 2)


def test_a_wiped_node_is_not_healthy_before_it_has_its_place() -> None:
    gone = ReportedMember("n3", 3, reachable=False)
    fresh = ReportedMember("n3", 33, reachable=True, voter=False)
    for members in ((N1, N2, gone), (N1, N2, gone, fresh)):
        seen = judge([seen_by_leader(*members), other("n2", 2), other("n3", 33)])
        assert (seen.word, seen.may_lose) == (Word.DEGRADED, 0)
        assert seen.down == (("n3", "came back as another node and waits to replace 3"),)


def test_who_a_change_leaves_behind_is_needed_while_it_is_under_way() -> None:
    """The leader was lost in that moment: n2 and the new n3 could not choose another."""
    gone = ReportedMember("n3", 33, reachable=False)
    report = report_of("n1", 1, (N1, N2, N3, gone))
    joint = structs.replace(report.groups[0], voters=(1, 2, 3), outgoing=(1, 2, 33))
    one = structs.replace(report.groups[0], group=0, voters=(1, 2, 3))
    others = [other("n2", 2), other("n3", 3)]

    def seen(group: ReportedGroup) -> Health:
        told = structs.replace(report, controller=one, groups=(group,))
        return judge([Asked("n1", "127.0.0.1:1", told), *others])

    during, after = seen(joint), seen(structs.replace(joint, outgoing=()))
    assert (during.word, during.lacking, during.may_lose) == (Word.DEGRADED, ((1, "n3"),), 0)
    assert (after.word, after.may_lose) == (Word.HEALTHY, 1)


def test_a_member_that_nobody_could_ask_is_down() -> None:
    seen = judge([seen_by_leader(N1, N2, N3), other("n2", 2)])
    assert seen.word is Word.DEGRADED
    assert [label for label, _ in seen.down] == ["n3"]


def test_a_node_that_answers_and_is_no_member_is_named() -> None:
    seen = judge([seen_by_leader(N1, N2), other("n2", 2), other("n9", 9)])
    assert seen.word is Word.DEGRADED
    assert "is no member" in dict(seen.down)["n9"]


def test_a_leader_that_was_not_asked_is_found_by_what_its_followers_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    members = tuple(
        ReportedMember(f"n{n}", n, reachable=True, host=f"h{n}", http_port=n) for n in (1, 2, 4)
    )

    def said(label: str, node: int) -> Asked:
        return Asked(label, "", report_of(label, node, members, leader=4, term=7))

    answers = {"h1": said("n1", 1), "h2": said("n2", 2), "h4": said("n4", 4), "h3": silent("n3")}

    def ask_all(pages: Mapping[str, tuple[str, int]]) -> list[Asked]:
        return [answers[host] for host, _ in pages.values()]

    monkeypatch.setattr(health, "ask_all", ask_all)
    asked_all = health.ask_members({f"n{n}": (f"h{n}", n) for n in (1, 2, 3)})
    assert [one.label for one in asked_all] == ["n1", "n2", "n4"], "n3 is none any more"
    seen = judge(asked_all)
    assert (seen.word, seen.leader) == (Word.HEALTHY, "n4")


# Several groups.


def of_groups(
    label: str,
    me: int,
    led: dict[int, int],
    shards: int = 4,
    third: tuple[int, ...] = (3, 3, 3),
    owners: tuple[int, ...] = (1, 1, 1, 1, 2, 2, 2, 2),
    members: tuple[ReportedMember, ...] = THREE,
) -> Asked:
    """What a node says of a cluster with two groups.

    `led`: who leads each, 0 the controller; `third`: who votes there besides nodes 1 and 2;
    `members`: whom it reaches.
    """
    controller, *groups = (
        ReportedGroup(group, led.get(group), 1, group in led, (1, 2, third[group]), shards)
        for group in (0, 1, 2)
    )
    first = groups[0]
    report = Report(
        label, me, 1, first.quorum, first.leader, members, controller, tuple(groups), owners, 1
    )
    return Asked(label, "127.0.0.1:1", report)


def test_slots_of_a_group_without_a_leader_are_not_served() -> None:
    seen = judge([of_groups(f"n{n}", n, {0: 1, 1: 1}) for n in (1, 2, 3)])
    assert (seen.word, seen.slots_served, seen.leader) == (Word.PARTIAL, 8_192, "n1")
    assert seen.refusing == ((2, 8_192, 16_383),)
    assert "slots 8192-16383 (g2) refuse reads and writes: no quorum" in seen.sentence()
    seen = judge([of_groups(f"n{n}", n, {0: 1, 2: 3}) for n in (1, 2, 3)])
    assert (seen.word, seen.slots_served, seen.leader) == (Word.PARTIAL, 8_192, None)


def test_slots_that_a_group_does_not_serve_yet_do_not_count() -> None:
    seen = judge([of_groups(f"n{n}", n, {0: 1, 1: 1, 2: 2}, shards=3) for n in (1, 2, 3)])
    assert (seen.word, seen.slots_served) == (Word.PARTIAL, 12_288)


def test_a_shard_that_moves_between_two_nodes_words_is_not_missed() -> None:
    # Group 1 gave a shard up after n3, whose map is older, was asked.
    led, newer = {0: 1, 1: 1, 2: 2}, (1, 1, 1, 2, 2, 2, 2, 2)
    first = of_groups("n1", 1, led, shards=3, owners=newer)
    seen = judge([of_groups("n3", 3, led), first, of_groups("n2", 2, led)])
    assert (seen.word, seen.slots_served) == (Word.HEALTHY, 16_384)


def test_a_controller_without_a_leader_stops_no_slot_and_is_told() -> None:
    seen = judge([of_groups(f"n{n}", n, {1: 1, 2: 2}) for n in (1, 2, 3)])
    assert (seen.word, seen.slots_served, seen.refusing) == (Word.DEGRADED, 16_384, ())
    assert "the controller has no leader" in seen.sentence()


def test_each_group_has_a_leader_of_its_own() -> None:
    seen = judge([of_groups(f"n{n}", n, {0: 3, 1: 1, 2: 2}) for n in (1, 2, 3)])
    assert seen.word is Word.HEALTHY
    assert seen.leaders == ((0, "n3"), (1, "n1"), (2, "n2"))


def test_a_voter_that_the_leader_of_one_group_does_not_reach_is_a_node_less() -> None:
    led, cut = {0: 1, 1: 1, 2: 2}, (*THREE[:2], ReportedMember("n3", 3, reachable=False))
    second = of_groups("n2", 2, led, members=cut)
    seen = judge([of_groups("n1", 1, led), second, of_groups("n3", 3, led)])
    assert (seen.word, seen.may_lose, seen.down) == (Word.DEGRADED, 0, ())
    assert seen.sentence() == (
        "DEGRADED  16384/16384 slots served; g2 lacks n3; may lose 0 more nodes"
    )


@pytest.mark.parametrize("third", [(33, 3, 3), (3, 3, 33)])
def test_a_wiped_node_is_not_healthy_before_it_has_its_place_in_every_group(
    third: tuple[int, ...],
) -> None:
    led = {0: 1, 1: 1, 2: 2}
    seen = judge([of_groups(f"n{n}", n, led, third=third) for n in (1, 2, 3)])
    assert seen.word is Word.DEGRADED


RACE = """
import sys, threading
sys.setswitchinterval(1e-7)
from pnyx.admin import controller, health, members, movement
report = b'{"label":"n1","me":1,"term":1,"quorum":true,"leader":1,"members":[]}'
documents = ((health._decode, report),
    (movement._decode, b'{}'), (members._decode, b'{"outcome":"done"}'),
    (controller._decode_told, b'{"outcome":"done","result":{}}'))
go = threading.Barrier(8)
def decode():
    go.wait()
    for each, document in documents:
        each(document)
threads = [threading.Thread(target=decode) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_that_decode_first_at_the_same_time_do_not_crash_the_process() -> None:
    # With `msgspec.json.decode(..., type=...)` one of 25 such processes ended by SIGSEGV.
    for _ in range(5):
        assert subprocess.run([sys.executable, "-c", RACE], check=False).returncode == 0
