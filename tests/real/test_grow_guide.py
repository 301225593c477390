"""Is what the guide to growing and shrinking shows what happens?"""

import os
import re
import shlex
from pathlib import Path

import pytest

from pnyx.cli import running
from pnyx.cli.app import run
from pnyx.cli.running import Running, RunningNode
from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real

PAGE = Path(__file__).parents[2] / "docs/guides/grow-and-shrink.md"
FENCE = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def plain(text: str) -> list[str]:
    """The lines without figures and widths: who leads and how long it took differ."""
    return [re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "0", one)) for one in text.splitlines()]


def test_what_the_guide_shows_is_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    engine = os.environ.get("PNYX_CONSENSUS", "raft")
    with Cluster(settings={"groups": 3}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        nodes = tuple(
            RunningNode(one.label, one.host, one.ports.gateway, one.ports.cluster, one.ports.http)
            for one in cluster.nodes.values()
        )
        running.announce(Running(os.getpid(), str(cluster.directory), "", nodes))
        port = cluster.nodes["n1"].ports.cluster
        fences = FENCE.findall(PAGE.read_text())
        assert len(fences) > 5
        for language, text in fences:
            if language == "python":
                exec(compile(text.replace("7001", str(port)), PAGE.name, "exec"), {})
                continue
            for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, shown = step.partition("\n")
                assert run(shlex.split(command)[1:]) == 0, command
                assert plain(capsys.readouterr().out) == plain(shown.replace("raft", engine)), (
                    command
                )
