"""The fixtures as somebody else's test suite uses them: a pytest run of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "test-with-pytest.md"
SHOWN = "".join(re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL))

AFTERWARDS = """
def test_the_next_test_finds_all_nodes_up_and_no_key(pnyx_cluster, pnyx):
    assert all(node.is_running() for node in pnyx_cluster.nodes.values())
    assert pnyx.get("visits") is None
    pnyx_cluster.partition("n1")

def test_the_one_after_a_partition_finds_it_healed(pnyx_cluster, pnyx):
    assert pnyx_cluster.cut_off == ()
    assert pnyx.set("key", "value")
"""

RUINS = """
def test_a_group_joins(pnyx_cluster, pnyx):
    assert [group.name for group in pnyx.admin.groups()] == ["g1"]
    pnyx.admin.join("g2")

def test_a_node_that_was_wiped_is_back(pnyx_cluster, pnyx):
    assert [group.name for group in pnyx.admin.groups()] == ["g1"]
    pnyx_cluster.wipe("n2")

def test_one_that_was_closed_is_another(pnyx_cluster, pnyx):
    pnyx_cluster.close()

def test_parameters_are_as_they_were(pnyx_cluster, pnyx):
    with pnyx_cluster.connect("n3") as connection:
        assert connection.call("CONFIG", "GET", "requirepass") == [b"requirepass", b""]
        connection.call("CONFIG", "SET", "requirepass", "secret")

def test_all_is_whole(pnyx_cluster, pnyx):
    assert pnyx.set("key", "value")
"""

FAILS = """
def test_it_fails(pnyx_sim):
    assert pnyx_sim.trace_hash == "never"
"""


def run(directory: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_theirs.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "test_theirs.py"]
    return subprocess.run(
        command, check=False, cwd=directory, capture_output=True, text=True, timeout=120
    )


@pytest.mark.real
def test_the_guides_tests_pass_and_do_not_hurt_those_after_them(tmp_path: Path) -> None:
    ended = run(tmp_path, SHOWN + AFTERWARDS)
    assert "4 passed" in ended.stdout, ended.stdout


@pytest.mark.slow
@pytest.mark.real
def test_what_cannot_be_mended_is_replaced(tmp_path: Path) -> None:
    ended = run(tmp_path, RUINS)
    assert "5 passed" in ended.stdout, ended.stdout


def test_a_failed_simulation_says_how_to_play_it_again(tmp_path: Path) -> None:
    first = run(tmp_path, FAILS).stdout
    seed = re.search(r"--pnyx-seed=(\d+) plays it again", first)
    assert seed is not None, first
    again = run(tmp_path, FAILS, f"--pnyx-seed={seed[1]}").stdout
    hashes = [re.search(r"AssertionError: assert '(\w{16})'", text) for text in (first, again)]
    assert hashes[0] is not None
    assert hashes[1] is not None
    assert hashes[0][1] == hashes[1][1]


def test_a_wrong_number_of_nodes_is_a_usage_error(tmp_path: Path) -> None:
    ended = run(tmp_path, FAILS, "-o", "pnyx_nodes=2")
    assert "pnyx_nodes is 1, 3, 5 or 7, not '2'" in ended.stdout
