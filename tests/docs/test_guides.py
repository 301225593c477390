"""Is what the Lab's pages tell a reader to type what happens?"""

import io
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from pnyx.cli.app import run
from pnyx.lab import scenario

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ("explanation/exploration.md", "guides/write-a-scenario.md", "tutorial/break-raft.md")
STATUS = re.compile(r"\$ echo \$\?\n(\d+)")


def blocks(page: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page, in order, as (language, text)."""
    return FENCE.findall((DOCS / page).read_text())


def plain(line: str) -> str:
    """A line without what differs from version to version: hashes, codes and counts."""
    return re.sub(r"[0-9][0-9a-f.,]*|[0-9a-f]{8,}", "0", line).strip()


def typed(text: str) -> None:
    """Type each command of a console block; what the page shows below it must be said."""
    steps = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    status = 0
    for step in steps:
        command, _, shown = step.partition("\n")
        if command == "echo $?":
            assert int(shown) == status
            continue
        words = shlex.split(command)
        assert words[0] == "pnyx"
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run(words[1:])
        said = [plain(line) for line in (out.getvalue() + err.getvalue()).splitlines()]
        for line in shown.splitlines():
            if line.strip() and line.strip() != "...":
                assert plain(line) in said, f"{command} did not say {line!r} but {said}"


@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_shows_is_what_happens(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scenario, "_SCENARIOS", dict(scenario._SCENARIOS))
    names: dict[str, object] = {}
    found = blocks(page)
    assert found
    for language, text in found:
        if language == "python":
            exec(compile(text, page, "exec"), names)
        elif language == "console":
            typed(text)
