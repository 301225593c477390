"""The program itself: prints before it imports, and ends in an exit status."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from pnyx import __version__
from pnyx.cli import entry


def pnyx(*words: str, python: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *python, "-m", "pnyx.cli.entry", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_with_fake_app(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    printed: list[str] = []

    def run(_words: list[str]) -> int:
        printed.append(capsys.readouterr().out)
        return 0

    app = types.ModuleType("pnyx.cli.app")
    vars(app)["run"] = run
    monkeypatch.setitem(sys.modules, "pnyx.cli.app", app)
    monkeypatch.setattr(sys, "argv", ["pnyx", *words])
    with pytest.raises(SystemExit):
        entry.main()
    return printed[0]


def test_the_demo_says_something_before_anything_else_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run_with_fake_app(["demo", "--ephemeral"], monkeypatch, capsys)
    assert said == f"pnyx {__version__}  demo cluster\n"


@pytest.mark.parametrize("words", [["demo", "kill", "n1"], ["demo", "--help"], ["status"], []])
def test_other_commands_print_nothing_of_their_own_first(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with_fake_app(words, monkeypatch, capsys) == ""


def test_an_unknown_command_is_a_usage_error_without_a_trace() -> None:
    done = pnyx("staus")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "status" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreadable_settings_file_is_a_usage_error_with_effect_and_next_step() -> None:
    done = pnyx("server", "--config", "nowhere.toml")
    assert done.returncode == 2
    assert done.stderr.startswith("error[PX0101]")
    assert "next" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_where_an_error_came_from() -> None:
    assert "Traceback" in pnyx("server", "--config", "nowhere.toml", "--debug").stderr


def test_ctrl_c_while_modules_are_loaded_ends_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "cyclopts.py").write_text("raise KeyboardInterrupt\n")
    done = subprocess.run(
        [sys.executable, "-m", "pnyx.cli.entry", "shards", "watch"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_nothing_runs_without_assertions() -> None:
    done = pnyx("version", python=("-O",))
    assert done.returncode != 0
    assert "python -O" in done.stderr


def test_nobody_listening_is_a_failure_that_names_the_address() -> None:
    done = pnyx("get", "key", "--addr", "127.0.0.1:1")
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    ("package", "extra", "words"),
    [
        ("redis", "redis", ["bench", "--quick"]),
        ("distributed", "lab", ["lab", "campaign", "R-B1", "--seeds", "1", "--dask", "tcp://h:1"]),
    ],
)
def test_a_missing_package_of_an_extra_is_no_bug_and_its_extra_is_named(
    package: str, extra: str, words: list[str]
) -> None:
    without = (
        f"import sys; sys.modules[{package!r}] = None; from pnyx.cli.app import run; run({words})"
    )
    done = subprocess.run(
        [sys.executable, "-c", without], capture_output=True, text=True, timeout=60, check=False
    )
    assert f"the package {package} is not installed" in done.stderr
    assert f"pip install 'pnyx[{extra}]'" in done.stderr
    assert "a bug in pnyx" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m pnyx.cli.entry --help | head -1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
