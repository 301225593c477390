"""The demo on a terminal: single keys do what the menu says."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pnyx.harness.ports import out_of_the_way

pytestmark = pytest.mark.real

SEEN_S_MAX = 60


class Screen:
    """A pseudo-terminal with a demo on it, and all that it showed."""

    def __init__(self) -> None:
        ports = out_of_the_way(3)[0]
        self._ours, theirs = pty.openpty()
        words = [sys.executable, "-m", "pnyx.cli.entry", "demo", "--ephemeral"]
        words += ["--gateway-port", str(ports.gateway), "--cluster-port", str(ports.cluster)]
        words += ["--peer-port", str(ports.peers), "--http-port", str(ports.http)]
        self.demo = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self._shown = ""

    def press(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def shows(self, *words: str) -> None:
        """Wait until all `words` have appeared, and forget everything up to the last of them."""
        deadline = time.monotonic() + SEEN_S_MAX
        while missing := [each for each in words if each not in self._shown]:
            assert time.monotonic() < deadline, f"no {missing} in:\n{self._shown}"
            try:
                self._shown += os.read(self._ours, 65_536).decode()
            except BlockingIOError:
                time.sleep(0.02)
        self._shown = self._shown[max(self._shown.index(each) + len(each) for each in words) :]


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    shown = Screen()
    yield shown
    shown.demo.terminate()
    shown.demo.wait(timeout=SEEN_S_MAX)


def test_a_group_joins_under_load_and_all_slots_stay_served(screen: Screen) -> None:
    screen.shows("groups g1 g2 g3")
    screen.shows("[s] add a group")
    screen.press("l")
    screen.shows("refused 0")
    screen.press("s")
    screen.shows("g4 joins on ")
    screen.shows(": 64 of 256 shards move")
    # Two who look at the nodes in turn say these: whoever looks later says it first now and then.
    screen.shows("g4 serves all its shards", "16384/16384 slots served")
    screen.shows("refused 0  connections broken 0")
    screen.press("q")
    screen.shows("stopping")
    assert screen.demo.wait(timeout=SEEN_S_MAX) == 0


def test_a_killed_leader_is_replaced_under_load_and_q_ends_the_demo(screen: Screen) -> None:
    screen.shows("[q] quit")
    screen.press("l")
    screen.shows("writes/s")
    screen.press("k")
    screen.shows("(the leader of g1) with SIGKILL")
    screen.shows("DEGRADED  16384/16384 slots served")
    screen.press("r")
    screen.shows("HEALTHY")
    screen.press("p")
    screen.shows("(the leader of g1) off from the others")
    screen.shows("is cut off from the leader")
    screen.press("h")
    screen.shows("HEALTHY")
    screen.press("q")
    screen.shows("stopping")
    assert screen.demo.wait(timeout=SEEN_S_MAX) == 0
