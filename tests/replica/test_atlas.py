"""What a node knows of the maps does not depend on the order in which it hears of them."""

from itertools import permutations

from hypothesis import given, strategies as st

from machine.controlling import Controller, placed
from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine.directives import (
    AnyDirective,
    Join,
    Leave,
    Move,
    MoveCommitted,
    MoveFailed,
    Query,
    Whereabouts,
)
from pnyx.machine.results import Result
from pnyx.replica.atlas import READ, UNKNOWN, Atlas


def history() -> list[list[Result]]:
    """Return what a controller said after each step of a life with joins, moves and failures."""
    controller = Controller(shard_count=6)
    said = []
    steps: list[AnyDirective] = [
        Join(placed(1)),
        Join(placed(2)),
        MoveCommitted(ShardId(3), Epoch(2), GroupId(2)),
        MoveFailed(ShardId(4), Epoch(3)),
        Move(ShardId(0), GroupId(2)),
        MoveCommitted(ShardId(0), Epoch(2), GroupId(2)),
        MoveCommitted(ShardId(4), Epoch(4), GroupId(2)),
        MoveCommitted(ShardId(5), Epoch(2), GroupId(2)),
        Leave((GroupId(1),)),
        MoveCommitted(ShardId(1), Epoch(2), GroupId(2)),
        MoveCommitted(ShardId(2), Epoch(2), GroupId(2)),
    ]
    for step in steps:
        controller.tell(step)
        said.append([controller.ask(each) for each in READ])
    return said


HISTORY = history()


def picture(atlas: Atlas) -> object:
    """All that follows from an atlas."""
    serving = [atlas.serving(ShardId(shard)) for shard in range(atlas.shards)]
    return atlas.configuration, serving, atlas.placements


@given(st.lists(st.sampled_from(range(len(HISTORY))), max_size=20))
def test_whatever_came_in_whichever_order_the_newest_counts(heard: list[int]) -> None:
    atlas, newest = Atlas(), Atlas()
    for at in heard:
        atlas.read(HISTORY[at])
    if heard:
        newest.read(HISTORY[max(heard)])
    assert picture(atlas) == picture(newest)


def test_every_step_is_seen_as_one() -> None:
    atlas = Atlas()
    for said in HISTORY:
        before = atlas.version
        assert atlas.read(said)
        assert atlas.version == before + 1
        assert not atlas.read(said)


def test_a_group_that_leaves_is_known_until_its_last_shard_has_gone() -> None:
    atlas = Atlas()
    for said in HISTORY[:-2]:
        atlas.read(said)
    assert [move.destination for _, move in atlas.undecided()] == [2, 2]
    assert sorted(atlas.placements) == [1, 2]
    atlas.read(HISTORY[-2])
    assert sorted(atlas.placements) == [1, 2]
    atlas.read(HISTORY[-1])
    assert sorted(atlas.placements) == [2]
    assert atlas.owners == (GroupId(2),) * 6


def test_nothing_is_known_of_a_cluster_that_was_not_founded() -> None:
    controller = Controller(shard_count=0)
    atlas = Atlas()
    assert not atlas.read([controller.ask(Query()), controller.ask(Whereabouts())])
    assert (atlas.number, atlas.shards, atlas.group_of_slot(77)) == (UNKNOWN, 0, 0)
    assert atlas.news(()) is None


def test_news_carry_everything_on() -> None:
    first = Atlas()
    for said, later in permutations(HISTORY[7:], 2):
        first.read(said)
        first.read(later)
    news = first.news(())
    assert news is not None
    second = Atlas()
    second.take(news.configuration, news.directory)
    assert picture(first) == picture(second)
    assert (first.number, first.moved) == (second.number, second.moved)
