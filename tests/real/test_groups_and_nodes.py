"""Many groups on real nodes: founded, led from home, joined and retired, on nodes that change."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pnyx.admin import page
from pnyx.admin.health import Word
from pnyx.admin.members import ChangeRefused
from pnyx.harness.cluster import Cluster
from pnyx.harness.resp import Refused
from real.spares import wait_until_spare

pytestmark = [pytest.mark.real]

GROUPS = 4
KEYS = 200


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    settings = {"groups": GROUPS, "shards": 32, "members.replace_silent_ms": 1_500}
    with Cluster(settings=settings) as nodes:
        nodes.start()
        nodes.wait_healthy()
        yield nodes


def leaders(cluster: Cluster) -> dict[int, str]:
    """Return who leads each group of keys."""
    return {group: label for group, label in cluster.health().leaders if group}


def direct(cluster: Cluster, directive: dict[str, Any], label: str = "n1") -> dict[str, Any]:
    """Tell the controller through one node, and return what it says."""
    place = cluster.http_addresses()[label]
    answer = page.ask(*place, "/v1/controller", body=msgspec.json.encode(directive), timeout_s=10)
    said: dict[str, Any] = msgspec.json.decode(answer)
    return said


def write(cluster: Cluster, label: str, value: str) -> None:
    with cluster.connect(label, timeout_s=10) as connection:
        for number in range(KEYS):
            assert connection.call("SET", f"k{number}", value) == b"OK"


def read(cluster: Cluster, label: str) -> set[bytes]:
    with cluster.connect(label, timeout_s=10) as connection:
        return {connection.call("GET", f"k{number}") for number in range(KEYS)}


def reads_or_waits(cluster: Cluster, label: str) -> set[bytes] | None:
    try:
        return read(cluster, label)
    except Refused:
        return None


def await_true(what: Any, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def test_leaders_are_spread_and_every_node_answers_for_every_group(cluster: Cluster) -> None:
    assert leaders(cluster) == {1: "n1", 2: "n2", 3: "n3", 4: "n1"}
    for label in cluster.nodes:
        write(cluster, label, label)
        assert {read(cluster, other).pop() for other in cluster.nodes} == {label.encode()}


def test_groups_outlive_a_node_and_their_leaders_come_home_with_it(cluster: Cluster) -> None:
    write(cluster, "n1", "before")
    cluster.kill("n2")
    await_true(lambda: leaders(cluster).get(2) in {"n1", "n3"})
    write(cluster, "n1", "between")
    cluster.restart("n2")
    cluster.wait_healthy()
    await_true(lambda: leaders(cluster) == {1: "n1", 2: "n2", 3: "n3", 4: "n1"})
    assert read(cluster, "n2") == {b"between"}


def test_everything_is_there_after_all_nodes_were_killed(cluster: Cluster) -> None:
    write(cluster, "n1", "kept")
    for label in cluster.nodes:
        cluster.kill(label)
    cluster.restart(*cluster.nodes)
    cluster.wait_healthy()
    assert read(cluster, "n3") == {b"kept"}
    assert direct(cluster, {"query": None})["result"]["number"] == 1


def test_a_group_joins_leaves_and_is_destroyed(cluster: Cluster) -> None:
    write(cluster, "n1", "v")
    plan = direct(cluster, {"plan": {"join": {"5": ["n2", "n3"]}, "shared": True}})
    assert plan["outcome"] == "done"
    assert direct(cluster, {"query": None})["result"]["number"] == 1, "a plan changes nothing"
    refused = direct(cluster, {"join": {"5": ["n2", "n3"]}})
    assert refused["outcome"] == "refused"
    assert "would be in groups" in refused["reason"]
    joined = direct(cluster, {"join": {"5": ["n2", "n3"]}, "shared": True}, "n3")
    assert joined["result"]["targets"] == plan["result"]["targets"]
    await_true(lambda: len(settled(cluster, 5)) == joined["result"]["targets"].count(5))
    assert leaders(cluster)[5] == "n2"
    assert read(cluster, "n1") == {b"v"}
    assert direct(cluster, {"leave": [5]})["outcome"] == "done"
    await_true(lambda: settled(cluster, 5) == [] and not settled(cluster, None))
    assert direct(cluster, {"retire": 5})["outcome"] == "done"
    await_true(lambda: gauge(cluster, "n2", "pnyx_groups") == GROUPS + 1)
    assert direct(cluster, {"join": {"5": ["n2"]}, "shared": True})["outcome"] == "refused"
    assert read(cluster, "n2") == {b"v"}
    cluster.kill("n2")
    cluster.restart("n2")
    cluster.wait_healthy()
    assert gauge(cluster, "n2", "pnyx_groups") == GROUPS + 1
    assert read(cluster, "n2") == {b"v"}


def settled(cluster: Cluster, group: int | None) -> list[int]:
    """Return the shards that a group serves; of None, those that are on their way."""
    directory = direct(cluster, {"whereabouts": None})["result"]["shards"]
    return [
        shard
        for shard, serving in enumerate(directory)
        if (serving["destination"] != 0 if group is None else serving["group"] == group)
    ]


def gauge(cluster: Cluster, label: str, name: str) -> float:
    text = page.ask(*cluster.http_addresses()[label], "/metrics").decode()
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def test_without_its_quorum_the_controller_changes_nothing_and_says_why(cluster: Cluster) -> None:
    cluster.kill("n2")
    cluster.kill("n3")
    assert cluster.health().word is Word.DOWN
    # Until an election timeout has passed n1 believes that it leads: the change's end is unknown.
    await_true(lambda: not any(one.report.led() for one in cluster.ask_all() if one.report))
    said = direct(cluster, {"join": {"5": ["n1"]}, "shared": True})
    assert (said["outcome"], said["reason"]) == ("not_done", "no_quorum")


def is_added(cluster: Cluster, label: str) -> bool:
    try:
        cluster.change("add", label)
    except ChangeRefused as error:
        if error.reason != "not_linked":
            raise
        return False
    return True


def test_a_node_that_is_added_and_removed_has_its_part_in_every_group(cluster: Cluster) -> None:
    write(cluster, "n1", "v")
    cluster.new_node("n4")
    cluster.start()
    await_true(lambda: is_added(cluster, "n4"))
    wait_until_spare(cluster, 1)
    assert gauge(cluster, "n4", "pnyx_groups") == GROUPS + 1
    assert read(cluster, "n4") == {b"v"}
    cluster.change("remove", "n1")
    assert cluster.nodes["n1"].wait(timeout_s=20) == 1
    cluster.forget("n1")
    cluster.wait_healthy()
    assert "n1" not in leaders(cluster).values()
    assert read(cluster, "n4") == {b"v"}


def test_a_node_may_leave_one_group_alone(cluster: Cluster) -> None:
    write(cluster, "n1", "v")
    cluster.change("remove", "n3", 1)
    cluster.wait_healthy()
    document = msgspec.json.decode(page.ask(*cluster.http_addresses()["n1"], "/v1/status"))
    voters = {one["group"]: len(one["voters"]) for one in document["groups"]}
    assert voters == {1: 2, 2: 3, 3: 3, 4: 3}
    # Until its old replica has been told, requests of that group wait for a leader in vain.
    await_true(lambda: reads_or_waits(cluster, "n3") == {b"v"})


def test_a_wiped_node_takes_its_place_in_every_group(cluster: Cluster) -> None:
    write(cluster, "n1", "v")
    cluster.wipe("n2")
    cluster.restart("n2")
    cluster.wait_healthy(40)
    assert gauge(cluster, "n2", "pnyx_groups") == GROUPS + 1
    await_true(lambda: leaders(cluster).get(2) == "n2")
    assert read(cluster, "n2") == {b"v"}
