"""A cluster of real node processes on this machine: for the demo, the bench and the tests.

All calls block. Whatever way the owner ends, the processes end with it: `close`, the context
manager and `atexit` stop them, and a node whose owner was killed reads the end of its input.
"""

import atexit
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from pnyx.admin import members, page
from pnyx.admin.health import Asked, Health, Word, ask_members, judge
from pnyx.errors import PnyxError
from pnyx.harness.closing import Closing
from pnyx.harness.files import write_all, write_new
from pnyx.harness.ports import Ports, give_back, out_of_the_way
from pnyx.harness.process import NodeProcess, start_together
from pnyx.harness.proxy import FaultProxy
from pnyx.harness.resp import Connection

HOST: Final = "127.0.0.1"
POLL_S: Final = 0.02
HEALTHY_S_MAX: Final = 20.0


class NotInTime(PnyxError):
    """The cluster did not reach the state that was waited for."""

    code = "PX0406"


class Cluster(Closing):
    """Three or five nodes (or one), their processes, directories and faults."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        count: int = 3,
        ports: Sequence[Ports] | None = None,
        settings: Mapping[str, object] | None = None,
        proxy_seed: int | None = None,
    ) -> None:
        """Write the settings files; nothing is started.

        Without a `directory` the data is temporary and goes with the cluster. `settings` by
        dotted name are what all nodes get besides their names and addresses. With a
        `proxy_seed` the nodes reach each other through `proxy` only.
        """
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="pnyx-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._settings = dict(settings or {})
        password = self._settings.get("requirepass")
        self.password = password if isinstance(password, str) else None
        chosen = list(ports) if ports is not None else out_of_the_way(count)
        self.nodes: dict[str, NodeProcess] = {}
        for number, own in enumerate(chosen, start=1):
            label = f"n{number}"
            self.nodes[label] = self._place(label, own)
        self._proxy: FaultProxy | None = None
        if proxy_seed is not None:
            targets = {node.label: (node.host, node.ports.peers) for node in self.nodes.values()}
            self._proxy = FaultProxy(targets, seed=proxy_seed)
        write_all(self.directory, list(self.nodes.values()), self._settings, self._proxy)
        self._cuts: set[str] = set()
        atexit.register(self.close)

    # Life.

    def start(self) -> None:
        """Start every node that does not run, and return before they serve."""
        asleep = [node for node in self.nodes.values() if not node.is_running()]
        if asleep:
            start_together(asleep)

    def stop(self) -> dict[str, int | None]:
        """Let every node drain and exit; return their exit statuses."""
        running = [node for node in self.nodes.values() if node.is_running()]
        for node in running:
            node.terminate()
        return {node.label: node.wait() for node in running}

    def close(self) -> None:
        """Stop everything; drop the data if it is temporary. Calling again does nothing."""
        atexit.unregister(self.close)
        self.stop()
        give_back(node.ports for node in self.nodes.values())
        if self._proxy is not None:
            self._proxy.close()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    # Members.

    def new_node(self, label: str) -> None:
        """Write the settings file of one more node, which lists all; the others' stay as they are.

        It is no member and not started: `start`, then `change("add", label)`.
        """
        assert self._proxy is None, "the proxy knows the nodes it was made for"
        (own,) = out_of_the_way(1)
        self.nodes[label] = self._place(label, own)
        write_new(self.directory, list(self.nodes.values()), self._settings)

    def change(self, verb: str, label: str, group: int | None = None) -> None:
        """Have leaders `add` or `remove` a node, or hand over (`lead`); in all groups, or in one.

        Raises:
            ChangeRefused: it was not done; ChangeUnknown: it may have been.
        """
        members.change(self.http_addresses(), verb, label, group=group, password=self.password)

    def forget(self, label: str) -> None:
        """Count a node that was removed no more; its process must have ended."""
        assert not self.nodes[label].is_running(), "it is to end by itself"
        give_back([self.nodes.pop(label).ports])

    def wipe(self, label: str) -> None:
        """End a node by SIGKILL and delete its data: it comes back as another node."""
        self.kill(label)
        shutil.rmtree(self.data(label))

    def data(self, label: str) -> Path:
        """Return a node's data directory."""
        return self.directory.resolve() / label

    # Faults.

    def kill(self, label: str) -> None:
        """End a node by SIGKILL."""
        self.nodes[label].kill()

    def restart(self, *labels: str) -> None:
        """Start nodes that ended, and resume paused ones."""
        nodes = [self.nodes[label] for label in labels]
        ended = [node for node in nodes if not node.is_running()]
        for node in nodes:
            if node.paused:
                node.resume()
        if ended:
            start_together(ended)

    def pause(self, label: str) -> None:
        """Stop a node in its tracks (SIGSTOP)."""
        self.nodes[label].pause()

    def resume(self, label: str) -> None:
        """Let a paused node go on."""
        self.nodes[label].resume()

    def partition(self, *labels: str) -> None:
        """Cut every link between `labels` and the other nodes, both ways; replaces earlier cuts."""
        one_side = set(labels)
        other_side = set(self.nodes) - one_side
        self.cut({label: other_side if label in one_side else one_side for label in self.nodes})
        self._cuts = one_side

    def cut(self, cuts: Mapping[str, Collection[str]]) -> None:
        """Cut each node from those others, as far as nodes run; replaces earlier cuts.

        A link is cut for sure if both of its ends say so.
        """
        for node in self._reachable():
            self._set_faults(node, sorted(cuts.get(node.label, ())))

    @property
    def proxy(self) -> FaultProxy:
        """What stands between the nodes: delay, loss, corruption, silence, by pair of labels."""
        assert self._proxy is not None, "the cluster was made without a proxy_seed"
        return self._proxy

    def heal(self) -> None:
        """Undo every partition, pause, and fault of the proxy."""
        if self._proxy is not None:
            self._proxy.heal()
        for node in self.nodes.values():
            if node.paused:
                node.resume()
        for node in self._reachable():
            self._set_faults(node, [])
        self._cuts = set()

    @property
    def cut_off(self) -> tuple[str, ...]:
        """The labels of the last partition, sorted; empty after `heal`."""
        return tuple(sorted(self._cuts))

    # What is seen from outside.

    def health(self) -> Health:
        """Ask all nodes and return the state of the cluster."""
        return judge(self.ask_all())

    def ask_all(self) -> list[Asked]:
        """Ask all nodes for their status, and whoever else is a member."""
        return ask_members(self.http_addresses())

    def http_addresses(self) -> dict[str, tuple[str, int]]:
        """Label -> host and port of the http page."""
        return {node.label: (node.host, node.ports.http) for node in self.nodes.values()}

    def leader(self) -> str | None:
        """Return the label of the node that leads a majority now."""
        return self.health().leader

    def connect(self, label: str, *, timeout_s: float = 5.0) -> Connection:
        """Return a client connection to the node's gateway port."""
        node = self.nodes[label]
        return Connection(
            node.host, node.ports.gateway, timeout_s=timeout_s, password=self.password
        )

    def wait_healthy(self, timeout_s: float = HEALTHY_S_MAX) -> Health:
        """Return once every node is up and follows one leader.

        Raises:
            StartFailed: a node's process ended meanwhile.
            NotInTime: it did not happen within `timeout_s`.
        """
        return self.wait_for(
            lambda seen: seen.word is Word.HEALTHY, "HEALTHY", timeout_s, all_must_run=True
        )

    def wait_for_leader(self, timeout_s: float = HEALTHY_S_MAX) -> str:
        """Return the label of a leader of a majority once there is one."""
        seen = self.wait_for(lambda seen: seen.leader is not None, "a leader", timeout_s)
        assert seen.leader is not None, "that is what was waited for"
        return seen.leader

    def wait_for(
        self,
        wanted: Callable[[Health], bool],
        name: str,
        timeout_s: float = HEALTHY_S_MAX,
        *,
        all_must_run: bool = False,
    ) -> Health:
        """Return the first state that is `wanted`; `name` says what it is for the error."""
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self.health()
            if wanted(seen):
                return seen
            if all_must_run:
                self._check_running()
            if time.monotonic() > deadline:
                raise NotInTime(
                    f"the cluster is not {name} after {timeout_s:g} s",
                    cause=seen.sentence() + self._log_tails(),
                    next_step=f"the nodes' logs are in {self.directory}",
                )
            time.sleep(POLL_S)

    # Pieces.

    def _place(self, label: str, ports: Ports) -> NodeProcess:
        return NodeProcess(
            label=label,
            host=HOST,
            ports=ports,
            settings_path=self.directory / f"{label}.toml",
            log_path=self.directory / f"{label}.log",
        )

    def _reachable(self) -> list[NodeProcess]:
        return [node for node in self.nodes.values() if node.is_running() and not node.paused]

    def _set_faults(self, node: NodeProcess, cut: Sequence[str]) -> None:
        body = json.dumps({"cut": list(cut)}).encode()
        deadline = time.monotonic() + HEALTHY_S_MAX
        while True:
            try:
                page.ask(node.host, node.ports.http, "/v1/faults", body=body)
            except page.NoAnswer:
                # A node that was just started does not listen yet.
                if not node.is_running() or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
            else:
                return

    def _check_running(self) -> None:
        for node in self.nodes.values():
            if not node.is_running():
                raise node.start_failed(f"its process ended with status {node.status}")

    def _log_tails(self) -> str:
        return "".join(
            f"\n          {node.label}: {line}"
            for node in self.nodes.values()
            for line in node.log_tail(3)
        )
