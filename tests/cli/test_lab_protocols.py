"""A protocol is run by its name, watched, and broken; what it prints can be run again."""

from pathlib import Path

import pytest

from pnyx.cli.app import run
from pnyx.cli.writing import refuse_unwritable
from pnyx.errors import Unlisted
from pnyx.harness.campaign import chosen_scenarios
from pnyx.harness.codehash import code_hash
from pnyx.lab import trace as traces
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.protocols import PROTOCOLS
from pnyx.lab.replay import Line
from pnyx.lab.zoo.catalogue import named

Captured = pytest.CaptureFixture[str]


def test_all_protocols_are_listed_each_with_a_bug_that_is_there(capsys: Captured) -> None:
    assert run(["lab", "protocols", "--output", "plain"]) == 0
    told = capsys.readouterr().out
    for protocol in PROTOCOLS:
        assert protocol.name in told
        named(protocol.bugs.rpartition(" ")[2])


@pytest.mark.parametrize("name", ["single-decree", "multi-instance", "primary-backup"])
def test_a_lesson_runs_by_its_name(name: str, capsys: Captured) -> None:
    assert run(["lab", "run", name, "--seed", "2"]) == 0
    assert "passed" in capsys.readouterr().out


def test_a_watched_lesson_tells_every_message(capsys: Captured) -> None:
    assert run(["lab", "run", "P-1", "--watch"]) == 0
    told = capsys.readouterr().out
    assert told.count("hears n1: Prepare") == 2
    assert told.count("hears n1: Accept") == 2


def test_an_engine_by_its_name_is_its_swarm(capsys: Captured) -> None:
    assert run(["lab", "run", "multipaxos", "--seed", "199", "--watch"]) == 0
    by_name = capsys.readouterr().out
    assert "role=leader" in by_name
    assert run(["lab", "run", "199", "--consensus", "multipaxos"]) == 0
    assert capsys.readouterr().out.splitlines()[-2] in by_name


def test_a_watched_scenario_tells_who_leads(capsys: Captured) -> None:
    assert run(["lab", "run", "R-B1", "--watch"]) == 0
    assert "role=leader" in capsys.readouterr().out


def test_a_watched_scenario_of_many_groups_is_judged_group_by_group(capsys: Captured) -> None:
    assert run(["lab", "run", "S-X2-6", "--watch"]) == 0
    assert "passed" in capsys.readouterr().out


def test_a_scenario_writes_its_trace_also_when_it_is_played_again(
    capsys: Captured, tmp_path: Path
) -> None:
    first, again = tmp_path / "first.jsonl", tmp_path / "again.jsonl"
    assert run(["lab", "run", "R-B1", "--seed", "3", "--trace", str(first)]) == 0
    line = str(Line("R-B1", 3, code_hash()))
    assert run(["lab", "replay", line, "--trace", str(again)]) == 0
    header, rows = traces.read(first.read_bytes().splitlines())
    assert (header.scenario, header.seed) == ("R-B1", 3)
    assert any("role=leader" in row.state_change for row in rows)
    assert again.read_bytes() == first.read_bytes()
    capsys.readouterr()


@pytest.mark.parametrize(
    "arguments",
    [["R-B1", "--report", "r.html"], ["R-B1", "--history", "h"], ["P-1", "--trace", "t"]],
)
def test_a_view_that_a_scenario_does_not_have_is_refused(
    arguments: list[str], capsys: Captured
) -> None:
    assert run(["lab", "run", *arguments]) == 2
    assert "nothing was run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("2 --trace /proc/none/x", "cannot write /proc/none/x"),
        ("2 --report /proc/none/x", "cannot write /proc/none/x"),
        ("2 --history /proc", "cannot write /proc"),
        ("R-B1 --trace /proc/none/x", "cannot write /proc/none/x"),
        ("2 --real", "2 does not run on real processes"),
        ("raft --real", "raft does not run on real processes"),
        ("18446744073709551616", "is no seed"),
        ("9" * 5_000, "is no seed"),
        ("R-B1 --seed -1", "Must be >= 0"),
        ("5 --seed 7", "--seed does not go with 5"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_runs(
    words: str, why: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name in ("run_plan", "play_and_trace"):
        monkeypatch.setattr(f"pnyx.cli.lab.run.{name}", None)
    assert run(["lab", "run", *words.split()]) == 2
    assert why in capsys.readouterr().err


def test_a_file_that_is_only_tested_is_left_as_it_was(tmp_path: Path) -> None:
    there, absent = tmp_path / "there", tmp_path / "absent"
    there.write_text("before")
    refuse_unwritable(there, absent, Path("/dev/null"), None)
    assert there.read_text() == "before"
    assert not absent.exists()


def test_a_full_disk_is_said_to_be_one(capsys: Captured) -> None:
    assert run(["lab", "run", "R-B1", "--trace", "/dev/full"]) == 74
    assert "PX0301" in capsys.readouterr().err


def test_a_broken_lesson_says_what_broke_and_how_to_see_it_again(capsys: Captured) -> None:
    assert run(["lab", "run", "single-decree", "--seed", "3", "--break", "P1"]) == 6
    told = capsys.readouterr()
    assert "one_value_per_instance" in told.err
    assert "again     pnyx lab run SINGLE-DECREE --seed 3 --break P1" in told.err
    assert "hears n" in told.out
    assert run(["lab", "run", "single-decree", "--seed", "3"]) == 0


def test_a_broken_engine_says_what_broke_and_how_to_see_it_again(capsys: Captured) -> None:
    assert run(["lab", "run", "raft", "--seed", "0", "--break", "A1", "--quiet"]) == 6
    assert "again     pnyx lab run raft --seed 0 --break A1" in capsys.readouterr().err


def test_a_seed_is_shrunk_on_the_engine_that_was_asked_for(capsys: Captured) -> None:
    assert run(["lab", "shrink", "199", "--consensus", "multipaxos"]) == 0
    assert "nothing to shrink" in capsys.readouterr().out


def test_both_engines_are_shown_side_by_side(capsys: Captured) -> None:
    assert run(["lab", "versus", "X-C3", "--output", "plain"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "terms in the chain" in line]
    assert len(lines) == 1
    assert lines[0].count("0") == 3


def test_the_page_about_paxos_shows_the_figures_of_both_engines(capsys: Captured) -> None:
    page = Path(__file__).parents[2] / "docs/explanation/paxos-in-pnyx.md"
    shown = [line.split() for line in page.read_text().splitlines() if line.startswith("    X-C")]
    assert len(shown) == 2
    assert run(["lab", "versus", "X-C1", "X-C2"]) == 0
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row for row in shown if row not in said] == []


def test_a_lesson_has_no_other_engine() -> None:
    with pytest.raises(Unlisted, match="P-1 does not run on multipaxos"):
        scenario_named("P-1@multipaxos")
    ids = {each.id for each in chosen_scenarios("scenarios@multipaxos")}
    assert "R-B1@multipaxos" in ids
    assert not any(each.startswith(("P-", "W-")) for each in ids)
