"""Generated pages and the page of error codes are fresh."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from cyclopts import App

from pnyx.admin import page
from pnyx.cli.app import COMMANDS
from pnyx.cli.demo import control
from pnyx.cli.lab.command import VERBS
from pnyx.cli.pages import command_line, settings
from pnyx.errors import PnyxError
from pnyx.harness import cluster, disks, ports, process, resp
from pnyx.harness.bench import loads

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_of_commands_is_the_one_that_the_code_makes() -> None:
    assert (REFERENCE / "cli.md").read_text() == command_line(), "run: make docs"


def test_every_option_has_its_sentence() -> None:
    options = [line for line in command_line().splitlines() if line.startswith("* `")]
    assert len(options) > 100
    assert not [line for line in options if not re.match(r"\* `[^`]+`: [^*\s]", line)]


def test_no_option_has_a_second_one_that_says_the_opposite() -> None:
    assert re.findall(r"^.*--(?:no|empty)-.*$", command_line(), re.MULTILINE) == []


@pytest.mark.parametrize(("name", "place", "told"), [*COMMANDS, *VERBS], ids=lambda word: word[:20])
def test_the_help_of_a_command_is_what_its_docstring_says(name: str, place: str, told: str) -> None:
    module, _, attribute = place.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    said = command.help if isinstance(command, App) else command.__doc__
    said = inspect.cleandoc(said).partition("\n\nArgs:")[0]
    assert said.split() == told.split(), name


def test_the_page_of_settings_is_made_again_as_it_is() -> None:
    page = (REFERENCE / "settings.md").read_text()
    assert settings(page) == page, "run: make docs"


def test_every_error_of_the_tools_has_a_row_with_its_code() -> None:
    table = (REFERENCE / "errors.md").read_text().partition("## The tools' own")[2]
    classes: list[type[PnyxError]] = [
        resp.Unreachable, resp.Refused, ports.NoPort, process.StartFailed, page.NoAnswer,
        cluster.NotInTime, control.NoDemo, control.DemoRefused, loads.LoadFailed,
        disks.FaultImpossible,
    ]  # fmt: skip
    for one in classes:
        promise = (one.__doc__ or "").removesuffix(".")
        assert f"| `{one.code}` | `{one.__name__}` | {promise}. |" in table
