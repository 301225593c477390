"""The controller asked over real http pages: what is read, changed, refused and not known."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from admin.pages import Pages
from pnyx.admin import controller, moves, page
from pnyx.admin.controller import (
    ControllerRefused,
    ControllerSilent,
    Placed,
    Seated,
    joining,
    leaving,
    moving,
    retiring,
)
from pnyx.admin.members import ChangeUnknown
from pnyx.admin.placing import placements
from pnyx.errors import SettingsWrong
from pnyx.ids import NodeId
from pnyx.machine.shards import shard_of_slot
from pnyx.replica.requests import Reason

THREE = ("n1", "n2", "n3")
NOBODY = controller.Cluster({"n1": ("127.0.0.1", 1)})
"""Whoever asks there gets no answer."""


@pytest.fixture
def pages() -> Iterator[Pages]:
    with Pages() as pages:
        yield pages


def test_groups_join_with_the_nodes_that_the_labels_mean(pages: Pages) -> None:
    after = controller.change(pages.where, joining({1: THREE, 2: ("n2", "n3", "n1")}))
    assert after.number == 1
    assert [after.targets.count(group) for group in (1, 2)] == [6, 6]
    placements = pages.controller.newest.placements
    assert [member.node for member in placements[1].members] == [2, 3, 1]
    assert placements[0].members[0].node == NodeId(1)
    assert placements[0].members[0].address == "127.0.0.1:3"
    seen = controller.maps(pages.where)
    assert seen.configuration == after
    assert [one.group for one in seen.directory.shards] == list(after.targets)


def test_old_configurations_are_kept_and_the_newest_is_the_default(pages: Pages) -> None:
    controller.change(pages.where, joining({1: THREE}))
    controller.change(pages.where, joining({2: THREE}))
    assert controller.maps(pages.where).configuration.number == 2
    old = controller.configuration(pages.where, 1)
    assert old.targets == (1,) * 12
    assert old.placed(2) is None
    assert set(controller.configuration(pages.where, 0).targets) == {0}
    assert controller.configuration(pages.where, 99).number == 2


def test_a_plan_changes_nothing(pages: Pages) -> None:
    controller.change(pages.where, joining({1: THREE}))
    planned = controller.plan(pages.where, joining({2: THREE, 3: THREE}))
    assert [planned.targets.count(group) for group in (1, 2, 3)] == [4, 4, 4]
    assert controller.maps(pages.where).configuration.number == 1


@pytest.mark.parametrize(
    ("wish", "cause"),
    [
        (joining({1: THREE}), "there is a group g1 already"),
        (joining({2: ("n1", "n9")}), "no member of the cluster is called n9"),
        (joining({2: ("n1", "n1")}), "names a node twice"),
        (joining({2: THREE}, apart=True), "would be in groups g1 and g2"),
        (joining({0: THREE}), "is 1 to 2147483647"),
        (joining({}), "no group was named"),
        (leaving([7]), "there is no group g7"),
        (leaving([1]), "would be served by no group"),
        (moving(12, 1), "there is no shard 12; they are 0 to 11"),
        (moving(3, 4), "there is no group g4"),
        (controller.retiring(1), "let it leave"),
    ],
)
def test_what_is_refused_changes_nothing_and_says_why(
    pages: Pages, wish: controller.Change, cause: str
) -> None:
    before = controller.change(pages.where, joining({1: THREE}))
    with pytest.raises(ControllerRefused, match="nothing was changed") as refused:
        controller.change(pages.where, wish)
    assert cause in refused.value.cause
    assert controller.maps(pages.where).configuration == before


def test_the_cause_of_a_refusal_is_whole_but_for_what_was_said_already(pages: Pages) -> None:
    with pytest.raises(ControllerRefused) as refused:
        controller.configuration(pages.where, -2)
    assert refused.value.cause == "configurations count from 0, -1 is the newest: -2?"
    with pytest.raises(ControllerRefused) as refused:
        controller.change(pages.where, retiring(7))
    assert refused.value.cause == "no group g7 has left this cluster"


def test_who_does_the_opposite_meanwhile_is_refused_and_told_to_wait(pages: Pages) -> None:
    controller.change(pages.where, joining({1: THREE}))
    controller.change(pages.where, joining({2: THREE}))
    with pytest.raises(ControllerRefused) as refused:
        controller.change(pages.where, leaving([2]))
    assert "is on its way from group g1 to g2" in refused.value.cause
    assert "pnyx shards watch" in refused.value.next_step
    pages.arrive()
    controller.change(pages.where, leaving([2]))
    with pytest.raises(ControllerRefused, match="nothing was changed") as refused:
        controller.change(pages.where, joining({2: THREE}))
    assert "still leaving" in refused.value.cause
    pages.arrive()
    assert controller.maps(pages.where).directory.departed == (2,)
    controller.change(pages.where, controller.retiring(2))
    assert controller.maps(pages.where).directory.retired == (2,)


def test_any_node_that_answers_will_do(pages: Pages) -> None:
    pages.stop("n1")
    assert controller.change(pages.where, joining({1: THREE})).number == 1


def test_without_a_quorum_nothing_is_changed_and_it_is_said_that_shards_are_served(
    pages: Pages,
) -> None:
    pages.reason = Reason.NO_QUORUM
    with pytest.raises(ControllerSilent, match="shards go on being served") as silent:
        controller.change(pages.where, leaving([1]))
    assert silent.value.cause == "the controller has no leader with a quorum"
    with pytest.raises(ControllerSilent):
        controller.maps(pages.where)


def test_a_change_whose_answer_never_came_is_unknown_and_a_read_is_asked_of_the_next(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = page.ask

    def breaks(host: str, port: int, path: str, **more: object) -> bytes:
        asked.append(path)
        if len(asked) == 1:
            raise page.NoAnswer("no answer", cause="timed out", has_left=True)
        return real(host, port, path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(page, "ask", breaks)
    with pytest.raises(ChangeUnknown, match="that is not known"):
        controller.change(pages.where, joining({1: THREE}))
    assert pages.told == []
    asked.clear()
    assert controller.maps(pages.where).configuration.number == 0


@pytest.mark.parametrize(
    "body",
    [
        "", "[]", "{}", '{"leave": [1], "retire": 1}', '{"leave": "g1"}', '{"plan": {}}',
        '{"plan": {"retire": 1}}', '{"move": 1}', '{"x": 1}', '{"leave": [1], "plan": {}}',
        '{"move": 1, "to": 99999999999999999999999}', '{"leave": [99999999999999999999999]}',
        '{"retire": 99999999999999999999999}', '{"query": 99999999999999999999999}',
        '{"query": -99999999999999999999999}', '{"join": {"99999999999999999999999": ["n1"]}}',
        '{"move": 99999999999999999999999, "to": 1}',
    ],
)  # fmt: skip
def test_what_asks_for_nothing_there_is_is_no_directive(pages: Pages, body: str) -> None:
    with pytest.raises(page.NoAnswer) as said:
        page.ask(*pages.where.pages["n1"], "/v1/controller", body=body.encode())
    assert said.value.status == 400
    assert pages.told == []


def test_without_the_password_nothing_is_told_or_changed() -> None:
    with Pages(password="s3cret") as pages:
        controller.change(pages.where, joining({1: THREE}))
        told = list(pages.told)
        guess = controller.Cluster(pages.where.pages, "guess")
        with pytest.raises(page.NoAnswer) as said:
            controller.change(guess, joining({2: THREE}))
        assert said.value.status == 401
        assert pages.told == told


@pytest.mark.parametrize(
    ("password", "cause"),
    [(None, "no password was given"), ("guess", "the password is wrong")],
)
def test_who_is_asked_for_the_password_is_told_how_to_give_it(
    password: str | None, cause: str
) -> None:
    with Pages(password="s3cret") as pages:
        with pytest.raises(page.NoAnswer) as said:
            controller.maps(controller.Cluster(pages.where.pages, password))
        assert said.value.cause == cause
        assert "PNYX_PASSWORD" in said.value.next_step


@pytest.mark.parametrize(("shard", "group"), [(True, 2), (2**14, 2), (-1, 2), (3, 2**31)])
def test_what_is_no_shard_by_its_kind_is_not_even_sent(shard: int, group: int) -> None:
    with pytest.raises(SettingsWrong, match="nothing was changed"):
        moves.move(NOBODY, shard, group)


@pytest.mark.parametrize("group", [2**31, True])
def test_what_is_no_group_by_its_kind_is_not_even_sent(group: int) -> None:
    with pytest.raises(SettingsWrong, match="nothing was changed"):
        controller.change(NOBODY, joining({group: THREE}))
    with pytest.raises(SettingsWrong, match="nothing was changed"):
        controller.change(NOBODY, leaving([group]))


@pytest.mark.parametrize(
    "name", ["g2147483648", "g" + "9" * 5_000, True], ids=["large", "long", "bool"]
)
def test_a_name_of_more_than_any_group_is_none(name: str) -> None:
    with pytest.raises(SettingsWrong, match="nothing was changed"):
        moves.number_of(name)


def test_what_is_not_where_it_should_be_is_to_move(pages: Pages) -> None:
    controller.change(pages.where, joining({1: THREE}))
    assert controller.maps(pages.where).to_move() == []
    controller.change(pages.where, joining({2: THREE}))
    to_move = controller.maps(pages.where).to_move()
    assert {(source, target) for _, source, target in to_move} == {(1, 2)}
    assert len(to_move) == 6
    pages.arrive(2)
    assert len(controller.maps(pages.where).to_move()) == 4


def test_a_move_that_is_taken_back_is_not_over_before_its_attempt_is(pages: Pages) -> None:
    controller.change(pages.where, joining({1: THREE}))
    controller.change(pages.where, joining({2: THREE}))
    pages.arrive()
    owner = controller.maps(pages.where).directory.shards[0].group
    controller.change(pages.where, moving(0, 3 - owner))
    controller.change(pages.where, moving(0, owner))
    assert controller.maps(pages.where).to_move() == [(0, owner, owner)]


def test_the_slots_of_shards_are_all_slots_once() -> None:
    for count in (1, 10, 12, 256, 16_384):
        runs = [controller.slots_of(shard, count) for shard in range(count)]
        assert runs[0][0] == 0
        assert runs[-1][1] == 16_383
        assert all(last + 1 == first for (_, last), (first, _) in pairwise(runs))
        for shard, (first, last) in enumerate(runs):
            assert {shard_of_slot(slot, count) for slot in (first, last)} == {shard}


def placed(group: int, *nodes: str) -> Placed:
    return Placed(group, tuple(Seated(label) for label in nodes))


def test_new_groups_go_where_least_is_and_leaders_are_spread() -> None:
    there = [placed(1, "n1", "n2", "n3"), placed(2, "n2", "n3", "n1"), placed(3, "n3", "n1", "n2")]
    assert placements([4], there, THREE) == {4: ("n1", "n2", "n3")}
    assert placements([4, 5], there[:1], THREE) == {4: ("n2", "n3", "n1"), 5: ("n3", "n1", "n2")}
    found = placements([4, 5], there, (*THREE, "n4", "n5", "n6"))
    assert set(found[4]) == {"n4", "n5", "n6", "n1", "n2"}
    assert found[4][0] == "n4"
    assert set(found[5]) >= {"n3", "n4", "n5", "n6"}


def test_a_group_is_as_wide_as_the_members_allow_though_one_is_down() -> None:
    there = [placed(1, *THREE)]
    assert placements([2], there, ("n1", "n2"), ("n3",)) == {2: ("n2", "n1", "n3")}
    assert placements([2], there, ("n1", "n2", "n4"), ("n3",)) == {2: ("n2", "n4", "n1")}


def test_a_group_does_not_begin_without_a_majority() -> None:
    with pytest.raises(ControllerRefused, match="only n1 answer"):
        placements([2], [placed(1, *THREE)], ("n1",), ("n2", "n3"))


@pytest.mark.parametrize(("count", "replicas"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 5), (9, 5)])
def test_a_group_has_as_many_replicas_as_make_it_safer(count: int, replicas: int) -> None:
    nodes = [f"n{number}" for number in range(count)]
    assert len(placements([1], [], nodes)[1]) == replicas
