"""What the README tells a reader to type does what the README says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pnyx.cli import running

pytestmark = pytest.mark.real

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCK = README.partition("<!-- a test types these lines")[2].partition("```console\n")[2]
PYTHON = (
    README.partition("<!-- a test runs these lines")[2]
    .partition("```python\n")[2]
    .partition("```")[0]
)
SHOWN = README.partition("what to type next:")[2].split("```")[1].splitlines()
NODE_NAME = re.compile(r"\bn[123]\b")


def pattern(line: str) -> str:
    """The line without its figures: ports, times and leaders differ from run to run."""
    return re.sub(r"\d+", "0", line).strip()


def steps() -> list[tuple[str, str]]:
    """Each command with the output that the README shows for it."""
    found: list[tuple[str, str]] = []
    for line in BLOCK.partition("```")[0].splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found


@pytest.mark.parametrize("program", ["redis-cli"], indirect=True)
def test_the_lines_of_the_readme_say_what_it_says(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    demo = subprocess.Popen(
        [sys.executable, "-m", "pnyx.cli.entry", "demo", "--ephemeral"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    try:
        said: list[str] = []
        for line in demo.stdout:
            said.append(line)
            if "Second terminal" in line:
                break
        assert {pattern(line) for line in SHOWN if line.strip()} <= {pattern(one) for one in said}
        found = running.find()
        assert found is not None
        assert len(steps()) > 5
        for command, shown in steps():
            # Another program may have 6379 on this machine; the demo then says which it took.
            words = shlex.split(command.replace("6379", str(found.nodes[0].gateway_port)))
            if words[0] == "pnyx":
                words[:1] = [sys.executable, "-m", "pnyx.cli.entry"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
            # Which node leads is for the nodes to decide.
            assert NODE_NAME.sub("n?", done.stdout) == NODE_NAME.sub("n?", shown), command
        first = found.nodes[0]
        assert "cas(" in PYTHON
        assert "read_csv(" in PYTHON
        program = PYTHON.replace("7001", str(first.cluster_port))
        exec(program.replace("6379", str(first.gateway_port)), {})
    finally:
        demo.terminate()
        demo.communicate(timeout=60)
