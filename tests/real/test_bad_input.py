"""What an operator may type at the wrong moment: refused or waited for, and never half done."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import pnyx
from pnyx.admin import controller
from pnyx.admin.controller import ControllerSilent, Maps
from pnyx.cli.app import run
from pnyx.harness.cluster import Cluster
from pnyx.machine.shards import shard_of_slot
from pnyx.machine.slots import slot_of
from real.test_groups import Said, home, http, url

__all__ = ["home"]

pytestmark = pytest.mark.real

SHARDS = 8
SETTLED_S_MAX = 30.0


@pytest.fixture(scope="module")
def two_groups() -> Iterator[Cluster]:
    with Cluster(settings={"groups": 2, "shards": SHARDS}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        yield cluster


def typed(cluster: Cluster, words: str) -> int:
    return run([*words.split(), *http(cluster)])


def maps(cluster: Cluster) -> Maps:
    return controller.maps(controller.Cluster(cluster.http_addresses()))


def answers(cluster: Cluster) -> bool:
    try:
        maps(cluster)
    except ControllerSilent:
        return False
    return True


def settled(cluster: Cluster) -> Maps:
    """Wait until every shard is where it should be."""
    ends_s = time.monotonic() + SETTLED_S_MAX
    while (found := maps(cluster)).to_move():
        assert time.monotonic() < ends_s, found.to_move()
        time.sleep(0.1)
    return found


def key_in(shard: int) -> str:
    return next(
        key
        for key in map(str, range(1_000))
        if shard_of_slot(slot_of(key.encode()), SHARDS) == shard
    )


@pytest.mark.parametrize(
    ("words", "why", "step"),
    [
        ("group add g2 --nodes n1", "there is a group g2 already, on n2 n3 n1", "another number"),
        ("group add g3 --nodes n9", "no member of the cluster is called n9", "pnyx node list"),
        ("group add g3 --nodes n1,n1", "names a node twice", "pnyx group list"),
        (
            "group add g3 --nodes n1 --apart",
            "node n1 would be in groups g1 and g3",
            "without --apart",
        ),
        ("group remove g7 --yes", "there is no group g7", "pnyx group list"),
        ("group remove g1 g7 --yes", "there is no group g7", "pnyx group list"),
        ("group remove g1 g2 --yes", "would leave no group to serve the keys", "pnyx group add"),
        ("shards move 0 g9", "there is no group g9", "pnyx group list"),
        ("shards move 8 g1", "there is no shard 8; they are 0 to 7", "pnyx shards show"),
    ],
)
def test_what_cannot_be_says_effect_cause_and_next_step(
    two_groups: Cluster, words: str, why: str, step: str, capsys: Said
) -> None:
    assert typed(two_groups, words) == 1
    effect, cause, following = capsys.readouterr().err.splitlines()
    assert effect.startswith("error[PX0413] could not ")
    assert effect.endswith("; nothing was changed")
    assert why in cause
    assert step in following
    assert maps(two_groups).configuration.number == 1


def test_without_a_quorum_the_controller_refuses_and_shards_go_on_being_served(
    capsys: Said,
) -> None:
    with Cluster(settings={"groups": 1, "shards": SHARDS}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        # Alone on its node, g2 needs nobody of those that die.
        assert typed(cluster, "group add g2 --nodes n1") == 0
        (shard, *_) = [n for n, one in enumerate(maps(cluster).directory.shards) if one.group == 2]
        cluster.kill("n2")
        cluster.kill("n3")
        cluster.wait_for(lambda seen: dict(seen.leaders).get(0) is None, "without a controller")
        capsys.readouterr()
        with pnyx.connect(url(cluster), timeout_s=20) as client:
            assert client.incr(key_in(shard)) == 1
            for words in ("group add g3", "group remove g2 --yes", f"shards move {shard} g1"):
                assert typed(cluster, words) == 4
                effect, cause, step = capsys.readouterr().err.splitlines()
                assert "PX0414" in effect
                assert "nothing was changed, and shards go on being served" in effect
                assert "the controller has no leader with a quorum" in cause
                assert "`pnyx health` shows which nodes are missing" in step
            assert client.incr(key_in(shard)) == 2
        assert typed(cluster, "group list -o plain") == 4
        assert "g2\tn1\tok" in capsys.readouterr().out
        cluster.restart("n2", "n3")
        cluster.wait_healthy()
        assert len(maps(cluster).configuration.placements) == 2


def test_a_node_that_returns_after_ten_configurations_serves_nothing_old() -> None:
    with Cluster(settings={"groups": 2, "shards": SHARDS}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with pnyx.connect(url(cluster), timeout_s=20) as client:
            for shard in range(SHARDS):
                client.set(key_in(shard), "old")
            cluster.kill("n3")
            for group in range(3, 8):
                assert typed(cluster, f"group add g{group} --nodes n1,n2") == 0
                assert typed(cluster, f"group remove g{group - 2} --yes") == 0
            for shard in range(SHARDS):
                client.set(key_in(shard), "new")
            cluster.restart("n3")
            with cluster.connect("n3", timeout_s=10) as connection:
                said = {connection.call("GET", key_in(shard)) for shard in range(SHARDS)}
            assert said == {b"new"}
            cluster.wait_healthy()
            assert settled(cluster).configuration.number == 11
            # What it had of the groups that were retired meanwhile is destroyed.
            status = cluster.ask_all()
            assert {group.group for one in status if one.report for group in one.report.groups} == {
                6, 7,
            }  # fmt: skip
        cluster.kill("n1")
        # The controller's quorum is now the one that was away and the one that was there.
        until(lambda: answers(cluster), "the controller has a leader again")
        assert maps(cluster).configuration.number == 11


@contextmanager
def second_operator(cluster: Cluster, words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pnyx.cli.entry", *words.split(), *http(cluster)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        try:
            yield it
        finally:
            it.kill()


def until(holds: Callable[[], bool], what: str) -> None:
    ends_s = time.monotonic() + SETTLED_S_MAX
    while not holds():
        assert time.monotonic() < ends_s, what
        time.sleep(0.05)


def test_two_operators_who_want_the_opposite_are_told_and_nothing_is_half_done(
    capsys: Said,
) -> None:
    with Cluster(settings={"groups": 2, "shards": SHARDS}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        # Nobody is there to take the shards, so the first one waits.
        assert typed(cluster, "group add g3 --nodes n3 --wait 0") == 0
        settled(cluster)
        cluster.pause("n3")
        with second_operator(cluster, "shards move 0 g3") as first:
            until(lambda: maps(cluster).configuration.targets[0] == 3, "the first one's is decided")
            capsys.readouterr()
            assert typed(cluster, "group remove g3 --yes") == 1
            effect, cause, step = capsys.readouterr().err.splitlines()
            assert effect == "error[PX0413] leave would be refused; nothing was changed"
            assert "shard 0 is on its way from group g1 to g3" in cause
            assert "`pnyx shards watch`" in step
            assert typed(cluster, "shards move 0 g1") == 0
            _, said = first.communicate(timeout=60)
        assert first.returncode == 1
        assert "what was waited for will not come" in said
        assert "shard 0 is to be at g1 since configuration 4" in said
        assert "`pnyx shards history`" in said
        cluster.resume("n3")
        with second_operator(cluster, "group add g4 g5") as first:
            until(lambda: maps(cluster).configuration.number == 5, "they join")
            while typed(cluster, "group remove g4 g5 --yes") != 0:
                assert "on its way" in capsys.readouterr().err
            _, said = first.communicate(timeout=60)
        assert first.returncode == 0 or "is to leave again" in said, said
        found = settled(cluster)
        assert [placed.group for placed in found.configuration.placements] == [1, 2, 3]
        with pnyx.connect(url(cluster), timeout_s=20) as client:
            for shard in range(SHARDS):
                assert client.incr(key_in(shard)) == 1


def test_history_names_both_operators_changes(two_groups: Cluster, capsys: Said) -> None:
    before = maps(two_groups).configuration
    there = before.targets[0]
    other = 3 - there
    assert typed(two_groups, f"shards move 0 g{other}") == 0
    assert typed(two_groups, f"shards move 0 g{there}") == 0
    capsys.readouterr()
    assert typed(two_groups, "shards history --last 2 -o json") == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["change"] for row in said] == [f"move 0 g{other}", f"move 0 g{there}"]
