"""Members change while real nodes serve: added, removed, wiped, replaced, and all but one lost."""

import random
import shutil
import time
from collections.abc import Iterator

import pytest

from pnyx.admin.health import Word
from pnyx.admin.members import ChangeRefused
from pnyx.cli.app import run
from pnyx.harness.cluster import Cluster
from pnyx.harness.resp import Refused
from pnyx.harness.witness import Observed, Witness, judge
from pnyx.node.survivor import survey
from real.spares import wait_until_spare

pytestmark = [pytest.mark.real]

QUICK = {"members.replace_silent_ms": 1_500}
RETIRED = 1


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(settings=QUICK) as nodes:
        nodes.start()
        nodes.wait_healthy()
        yield nodes


def http(cluster: Cluster, label: str = "n1") -> str:
    return "{}:{}".format(*cluster.http_addresses()[label])


def add(cluster: Cluster, label: str, within_s: float = 20) -> None:
    """Make a node that was just started a voter."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            cluster.change("add", label)
        except ChangeRefused as error:
            if error.reason != "not_linked" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def final_values(cluster: Cluster, observed: Observed) -> dict[str, bytes]:
    keys = sorted({append.key for append in observed.appends})
    with cluster.connect(cluster.wait_for_leader()) as connection:
        return {key: connection.call("GET", key) or b"" for key in keys}


def gateway(cluster: Cluster, label: str) -> tuple[str, int]:
    return cluster.nodes[label].host, cluster.nodes[label].ports.gateway


def load(cluster: Cluster, addresses: list[tuple[str, int]]) -> Witness:
    """Start clients that use whatever is in `addresses` when they connect."""
    addresses += [gateway(cluster, label) for label in cluster.nodes]
    witness = Witness(addresses, clients=6, seed=11)
    witness.start()
    return witness


def until_more(witness: Witness, count: int, within_s: float = 15) -> None:
    """Return when so many more appends were acknowledged."""
    wanted, deadline = witness.done_count() + count, time.monotonic() + within_s
    while witness.done_count() < wanted:
        assert time.monotonic() < deadline, "the load does not get through"
        time.sleep(0.02)


@pytest.mark.timeout(120)
def test_a_node_is_added_and_the_leader_removed_under_load_and_nothing_is_lost(
    cluster: Cluster,
) -> None:
    witness = load(cluster, [])
    until_more(witness, 50)
    cluster.new_node("n4")
    cluster.start()
    add(cluster, "n4")
    assert len(wait_until_spare(cluster, 1).up) == 4
    until_more(witness, 50)
    leader = cluster.wait_for_leader()
    cluster.change("remove", leader)
    gone = cluster.nodes[leader]
    assert gone.wait() == RETIRED
    assert any(f"({leader}), was removed from its group" in line for line in gone.log_tail())
    cluster.restart(leader)
    assert gone.wait() == RETIRED, "it remembers"
    cluster.forget(leader)
    assert len(wait_until_spare(cluster, 1).up) == 3
    until_more(witness, 50)
    observed = witness.stop()
    assert judge(observed, final_values(cluster, observed)) == []
    assert observed.longest_s < 5


@pytest.mark.timeout(120)
def test_a_node_added_from_the_command_line_is_a_member_after_all_others_were_restarted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Cluster(settings=QUICK | {"requirepass": "s3cret"}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        cluster.new_node("n4")
        node = cluster.nodes["n4"]
        node.settings_path.unlink()
        ports = node.ports
        chosen = f"{ports.gateway},{ports.cluster},{ports.peers},{ports.http}"
        config = str(cluster.nodes["n2"].settings_path)
        words = ["node", "add", f"n4=127.0.0.1:{chosen}", "--config", config]
        assert run([*words, "--dir", str(cluster.directory), "--wait", "0"]) == 0
        assert capsys.readouterr().out == f"{node.settings_path}\n"
        assert run(["node", "add", "n4", "--http", http(cluster), "--wait", "1"]) == 1
        assert "requirepass" in capsys.readouterr().err
        cluster.start()
        assert run(["node", "add", "n4", "--config", config]) == 0
        assert "HEALTHY" in capsys.readouterr().out
        for label in ("n1", "n2", "n3"):
            cluster.kill(label)
        cluster.start()
        # Their settings files do not name it: it dials them.
        wait_until_spare(cluster, 1)
        cluster.change("lead", "n4")
        cluster.wait_for(lambda seen: seen.leader == "n4", "led by n4")
        cluster.wait_healthy()
        assert run(["health", "--config", config, "-o", "plain"]) == 0
        assert "n1,n2,n3,n4" in capsys.readouterr().out
        with cluster.connect("n1") as connection:
            assert connection.call("SET", "k", "v") == b"OK"


@pytest.mark.timeout(120)
def test_a_wiped_node_takes_its_place_and_the_one_it_was_is_told_and_stops(
    cluster: Cluster,
) -> None:
    leader = cluster.wait_for_leader()
    wiped = next(label for label in sorted(cluster.nodes, reverse=True) if label != leader)
    with cluster.connect(leader) as connection:
        connection.call("SET", "k", "v")
    cluster.kill(wiped)
    aside = cluster.directory / "aside"
    shutil.copytree(cluster.data(wiped), aside)
    cluster.wipe(wiped)
    cluster.restart(wiped)
    cluster.wait_for(
        lambda seen: (
            any("waits to replace" in reason for _, reason in seen.down)
            or seen.word is Word.HEALTHY
        ),
        "on its way",
    )
    assert wait_until_spare(cluster, 1).up == ("n1", "n2", "n3")
    cluster.kill(leader)
    cluster.wait_for_leader()
    with cluster.connect(wiped) as connection:
        assert connection.call("GET", "k") == b"v", "it counts: one of the others is down"
    cluster.restart(leader)
    cluster.wipe(wiped)
    shutil.copytree(aside, cluster.data(wiped))
    cluster.restart(wiped)
    node = cluster.nodes[wiped]
    assert node.wait(timeout_s=20) == RETIRED
    assert any("was replaced" in line for line in node.log_tail())


@pytest.mark.timeout(120)
def test_members_are_listed_led_and_drained_from_the_command_line(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    leader = cluster.wait_for_leader()
    to = next(label for label in cluster.nodes if label != leader)
    assert run(["group", "transfer-leader", to, "--http", http(cluster)]) == 0
    assert capsys.readouterr().out == f"leader {to}\n"
    assert run(["node", "list", "--http", http(cluster), "-o", "plain"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["n1", "n2", "n3"]
    assert {row[0]: row[1] for row in rows}[to] == "leader"
    assert all(row[2] == "up" for row in rows)
    assert run(["group", "members", "--http", http(cluster), "-o", "plain"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["voter"] * 3
    assert run(["node", "show", "n9", "--http", http(cluster)]) == 5
    capsys.readouterr()
    stays, down = (label for label in cluster.nodes if label != to)
    cluster.kill(down)
    cluster.wait_for(lambda seen: seen.word is Word.DEGRADED, "hurt")
    assert run(["node", "remove", to, "--http", http(cluster, stays), "--yes"]) == 1
    assert "no majority" in capsys.readouterr().err
    cluster.restart(down)
    cluster.wait_healthy()
    words = ["node", "drain", to, "--http", http(cluster, stays)]
    assert run([*words, "--dry-run"]) == 0
    assert "would move leadership away" in capsys.readouterr().out
    assert run(words) == 2
    assert "say --yes" in capsys.readouterr().err
    assert len(cluster.wait_healthy().up) == 3
    assert run([*words, "--yes"]) == 0
    assert cluster.nodes[to].wait() == RETIRED
    cluster.forget(to)
    seen = cluster.wait_healthy()
    assert (len(seen.up), seen.may_lose) == (2, 0)
    assert "DEGRADED" not in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.timeout(150)
def test_after_a_lost_majority_one_survivor_goes_on_and_the_others_join_it_anew(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Cluster(count=5, settings=QUICK) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with cluster.connect(cluster.wait_for_leader()) as connection:
            for number in range(100):
                assert connection.call("SET", f"k{number}", number) == b"OK"
        for label in ("n4", "n5"):
            with cluster.connect(label) as connection:
                assert connection.call("GET", "k99") == b"99", "a read waits for what it lacks"
        for label in ("n1", "n2", "n3"):
            cluster.kill(label)
        with cluster.connect("n4", timeout_s=10) as connection, pytest.raises(Refused):
            connection.call("SET", "k0", "refused")
        assert run(["node", "recover", str(cluster.data("n4"))]) == 1
        assert "is in use" in capsys.readouterr().err
        for label in ("n4", "n5"):
            cluster.kill(label)
        seen = {label: survey(cluster.data(label)) for label in ("n4", "n5")}
        ends = {label: one.groups[1].last for label, one in seen.items()}
        best = max(ends, key=lambda label: (ends[label].term, ends[label].index))
        other = "n5" if best == "n4" else "n4"
        assert run(["node", "recover", str(cluster.data(best)), "--accept-data-loss"]) == 0
        assert "the only member" in capsys.readouterr().err
        cluster.restart(best)
        alone = cluster.wait_for(lambda seen: seen.leader == best, f"led by {best}")
        assert alone.may_lose == 0
        with cluster.connect(best) as connection:
            assert connection.call("DBSIZE") == 100
        # One that still has its data is told and stops; without it, it may be added.
        cluster.restart("n1")
        assert cluster.nodes["n1"].wait(timeout_s=20) == RETIRED
        cluster.wipe(other)
        cluster.restart(other)
        add(cluster, other)
        with cluster.connect(other) as connection:
            assert connection.call("GET", "k99") == b"99"
        for label in ("n1", "n2", "n3"):
            cluster.forget(label)
        assert cluster.wait_healthy().up == tuple(sorted((best, other)))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ninety_seconds_of_changes_wipes_and_kills_lose_double_and_stale_nothing(
    cluster: Cluster,
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    addresses: list[tuple[str, int]] = []
    witness = load(cluster, addresses)
    story: list[str] = []
    number = 3
    end = time.monotonic() + 90
    while time.monotonic() < end:
        leader = cluster.wait_for_leader()
        label = leader if draw.random() < 0.5 else draw.choice(sorted(cluster.nodes))
        match draw.choice(["add", "remove", "wipe", "kill"]):
            case "add" if len(cluster.nodes) < 5:
                number += 1
                label = f"n{number}"
                cluster.new_node(label)
                cluster.start()
                add(cluster, label)
                addresses.append(gateway(cluster, label))
                story.append(f"add {label}")
            case "remove" if len(cluster.nodes) > 3:
                cluster.change("remove", label)
                addresses.remove(gateway(cluster, label))
                assert cluster.nodes[label].wait(timeout_s=20) == RETIRED, story
                cluster.forget(label)
                story.append(f"remove {label}")
            case "wipe":
                cluster.wipe(label)
                cluster.restart(label)
                story.append(f"wipe {label}")
            case _:
                cluster.kill(label)
                time.sleep(draw.uniform(0, 2))
                cluster.restart(label)
                story.append(f"kill {label}")
        print(story[-1])
        cluster.wait_healthy(30)
    observed = witness.stop()
    told = f"seed {seed}: {', '.join(story)}"
    assert judge(observed, final_values(cluster, observed)) == [], told
    done = sum(append.outcome == "done" for append in observed.appends)
    print(f"{told}; {done} done, {observed.longest_s:.2f} s at most")
    assert done > 500, told
