"""The running demo: brings the nodes up, then waits for keys, second terminals and surprises."""

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from pnyx.admin.health import CONTROLLER, Health, Word
from pnyx.cli.demo import faults
from pnyx.cli.demo.control import Asked, ControlSocket
from pnyx.cli.demo.growth import Growth
from pnyx.cli.demo.terminal import GREEN, RED, YELLOW, Terminal
from pnyx.cli.running import Running, RunningNode, announce, withdraw
from pnyx.errors import PnyxError
from pnyx.harness.cluster import Cluster
from pnyx.harness.load import Load
from pnyx.ids import SLOT_COUNT

LOOK_S: Final = 0.5
"""How often the nodes are asked how they are."""
NAMED_MAX: Final = 6
"""More groups than these are counted."""
START_S_MAX: Final = 30.0
COLOURS: Final = {Word.HEALTHY: GREEN, Word.DEGRADED: YELLOW}
KEYS: Final = {"k": "kill", "r": "restart", "p": "partition", "h": "heal"}
MENU: Final = (
    " Keys: [k] kill a leader  [r] restart  [p] partition  [h] heal  [l] load on/off  "
    "[s] add a group  [q] quit"
)


class Stage:
    """A cluster with an audience."""

    def __init__(self, cluster: Cluster, terminal: Terminal) -> None:
        self._cluster = cluster
        self._terminal = terminal
        self._load: Load | None = None
        self._growth = Growth(cluster)
        self._seen: Health | None = None
        self._known_down: set[str] = set()
        self._ending: int | None = None
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._control = ControlSocket(cluster.directory)
        self._running = Running(
            pid=os.getpid(),
            directory=str(cluster.directory.resolve()),
            control=str(self._control.path),
            nodes=tuple(
                RunningNode(
                    node.label, node.host, node.ports.gateway, node.ports.cluster, node.ports.http
                )
                for node in cluster.nodes.values()
            ),
            password=cluster.password or "",
        )

    def __enter__(self) -> "Stage":
        signal.set_wakeup_fd(self._wake_in.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._load is not None:
            self._load.stop()
        self._cluster.close()
        self._control.close()
        with contextlib.suppress(OSError):
            withdraw(self._running)
        signal.set_wakeup_fd(-1)

    def open(self) -> bool:
        """Start the nodes and say what they can be used for; False if told to stop meanwhile.

        Raises:
            StartFailed, NotInTime: with the end of the logs.
        """
        began_s = time.monotonic()
        self._cluster.start()
        seen = self._reach(lambda seen: seen.answering == len(self._cluster.nodes))
        labels = " ".join(self._cluster.nodes)
        self._ok(
            f"{len(self._cluster.nodes)} nodes up",
            f"{labels:<42} {time.monotonic() - began_s:.1f} s",
        )
        seen = self._reach(lambda seen: seen.word is Word.HEALTHY)
        if self._is_ending():
            return False
        self._ok("controller", f"leader {dict(seen.leaders)[CONTROLLER]}")
        self._ok(_groups_of(seen), f"{_leaders_of(seen)}   {SLOT_COUNT}/{SLOT_COUNT} slots served")
        self._seen = seen
        word = self._terminal.coloured("HEALTHY", GREEN)
        plural = "" if seen.may_lose == 1 else "s"
        whose = "the group" if len(seen.leaders) <= 2 else "every group"
        self._terminal.say(f" {word}  {whose} may lose {seen.may_lose} node{plural}")
        announce(self._running)
        self._say_usage()
        return True

    def play(self) -> int:
        """Serve keys and second terminals until told to stop; return the exit status."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_out, selectors.EVENT_READ, self._drain_wakeups)
            selector.register(self._control, selectors.EVENT_READ, self._serve_caller)
            if self._terminal.takes_keys:
                selector.register(0, selectors.EVENT_READ, self._on_key)
            look_s = time.monotonic() + LOOK_S
            while self._ending is None:
                for key, _ in selector.select(max(0.0, look_s - time.monotonic())):
                    key.data()
                if time.monotonic() >= look_s:
                    self._look()
                    look_s = time.monotonic() + LOOK_S
        self._terminal.say(" stopping")
        return self._ending

    # What happens.

    def _on_signal(self, number: int, _frame: object) -> None:
        self._ending = 0 if number == signal.SIGTERM else 130

    def _is_ending(self) -> bool:
        return self._ending is not None

    def _drain_wakeups(self) -> None:
        self._wake_out.recv(4096)

    def _serve_caller(self) -> None:
        said = self._control.answer(self._carry_out)
        if said:
            self._terminal.say(f" {said.splitlines()[0]}")

    def _on_key(self) -> None:
        key = self._terminal.key()
        if key in {"q", ""}:
            self._ending = 0
        elif key == "l":
            self._toggle_load()
        elif key == "s":
            self._grow(self._growth.begin)
        elif key in KEYS:
            try:
                self._terminal.say(f" {self._carry_out(Asked(KEYS[key]))}")
            except PnyxError as error:
                self._terminal.say(f" {error.effect}")

    def _carry_out(self, asked: Asked) -> str:
        said = faults.carry_out(self._cluster, asked)
        self._known_down = {
            label for label, node in self._cluster.nodes.items() if not node.is_running()
        }
        return said

    def _grow(self, step: Callable[[], str]) -> None:
        try:
            said = step()
        except PnyxError as error:
            said = f"{error.effect}: {error.cause}"
        if said:
            self._terminal.say(f" {said}")

    def _toggle_load(self) -> None:
        if self._load is not None:
            self._load.stop()
            self._load = None
            self._terminal.say(" load off")
            return
        gateways = [(node.host, node.ports.gateway) for node in self._cluster.nodes.values()]
        self._load = Load(gateways, self._cluster.password)
        self._terminal.say(" load on: one client that writes through any node that answers")

    def _look(self) -> None:
        for label, node in self._cluster.nodes.items():
            if not node.is_running() and label not in self._known_down:
                self._known_down.add(label)
                self._terminal.say(f" {label} ended by itself with status {node.status}:")
                for line in node.log_tail():
                    self._terminal.say(f"   {line}")
        self._grow(self._growth.look)
        seen = self._cluster.health()
        if seen != self._seen:
            self._seen = seen
            coloured = self._terminal.coloured(seen.word.value, COLOURS.get(seen.word, RED))
            led = f"; {_leaders_of(seen)}" if seen.leader else ""
            self._terminal.say(f" {coloured}{seen.sentence()[len(seen.word.value) :]}{led}")
        if self._load is not None:
            tally = self._load.look()
            self._terminal.say(
                f" load  {tally.done / LOOK_S:,.0f} writes/s  refused {tally.refused}  "
                f"connections broken {tally.broken}  longest wait {tally.longest_s:.2f} s"
            )

    # What is said.

    def _reach(self, wanted: Callable[[Health], bool]) -> Health:
        return self._cluster.wait_for(
            lambda seen: self._ending is not None or wanted(seen),
            "HEALTHY",
            START_S_MAX,
            all_must_run=True,
        )

    def _ok(self, what: str, more: str) -> None:
        self._terminal.say(f" {self._terminal.coloured('ok', GREEN)} {what:<30} {more}")

    def _say_usage(self) -> None:
        say = self._terminal.say
        nodes = list(self._cluster.nodes.values())
        gateway, cluster = nodes[0].ports.gateway, nodes[0].ports.cluster
        others = " ".join(str(node.ports.cluster) for node in nodes)
        auth, password = (" -a PASSWORD", ":PASSWORD@") if self._cluster.password else ("", "")
        say()
        say(f" Any Redis client   redis-cli -p {gateway}{auth}")
        say(f" Cluster clients    redis-cli -c -p {cluster}{auth}        ({others})")
        say(f' Python             pnyx.connect("pnyx://{password}127.0.0.1:{cluster}")')
        say(" Second terminal    pnyx status    pnyx group list    pnyx demo --help")
        if self._terminal.takes_keys:
            say(MENU)


def _groups_of(seen: Health) -> str:
    groups = [f"g{group}" for group, _ in seen.leaders if group != CONTROLLER]
    if len(groups) > NAMED_MAX:
        return f"groups {groups[0]} to {groups[-1]}"
    return f"group{'s' if len(groups) > 1 else ''} {' '.join(groups)}"


def _leaders_of(seen: Health) -> str:
    labels = [label for group, label in seen.leaders if group != CONTROLLER]
    if len(labels) <= NAMED_MAX:
        return f"leader{'s' if len(labels) > 1 else ''} {' '.join(labels)}"
    counts = sorted((label, labels.count(label)) for label in set(labels))
    return "leaders " + " ".join(f"{label}:{count}" for label, count in counts)


def data_label(directory: Path, *, ephemeral: bool) -> str:
    """Return what the first line says of the data."""
    if ephemeral:
        return f" data: {directory} (dropped at the end)"
    shown = str(directory)
    with contextlib.suppress(ValueError, RuntimeError):
        shown = f"~/{directory.relative_to(Path.home())}"
    return f" data: {shown} (kept; --ephemeral drops it)"
