"""What can be typed: `pnyx demo`, and the faults for its nodes from a second terminal."""

import socket
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from pnyx.cli import running
from pnyx.cli.demo import control
from pnyx.cli.demo.stage import Stage, data_label
from pnyx.cli.demo.terminal import Terminal
from pnyx.consensus.engines import EngineName
from pnyx.errors import SettingsWrong, WrongDirectory
from pnyx.harness.cluster import Cluster
from pnyx.harness.files import kept
from pnyx.harness.ports import Bases, Moved, plan

demo = App(
    name="demo",
    help="Run a cluster of real nodes on this machine, or do something to the running one.",
    help_epilogue="Keys on a terminal: k kill the leader, r restart, p partition, h heal, "
    "l load on/off, q quit. Without one the demo runs until SIGTERM.",
)

OPTION_OF: Final = {"gateway": "--gateway-port", "cluster": "--cluster-port", "http": "--http-port"}


@demo.default
def start(
    *,
    nodes: Literal["1", "3", "5"] = "3",
    groups: int = 1,
    consensus: EngineName | None = None,
    data: Path | None = None,
    ephemeral: Annotated[bool, Parameter(negative=())] = False,
    gateway_port: int = 6379,
    cluster_port: int = 7001,
    peer_port: int = 7101,
    http_port: int = 8301,
    password: str = "",
) -> int:
    """Run a cluster of real nodes on this machine until [q] or SIGTERM.

    Args:
        nodes: how many processes; 3 may lose one of them, 5 may lose two.
        groups: replica groups; there is one until shards can be placed on several.
        consensus: the engine, raft or multipaxos; a cluster keeps the one it was formed with, so
            it is chosen when there is no data yet (then raft is the default).
        data: directory of logs and state, kept when the demo ends.
        ephemeral: use a temporary directory and drop it at the end.
        gateway_port: first node's port for any Redis client; the next nodes get the next ports.
        cluster_port: first node's port for Redis Cluster clients.
        peer_port: first node's port for the other nodes.
        http_port: first node's port for /livez, /readyz, /metrics and /v1.
        password: what clients must say with AUTH.
    """
    _refuse_contradictions(groups, data, ephemeral=ephemeral)
    count = int(nodes)
    directory = (data or running.home() / "demo").expanduser().absolute()
    _refuse_second(directory, ephemeral=ephemeral)
    if not ephemeral:
        _refuse_other_count(directory, count)
        _refuse_other_engine(directory, consensus)
    chosen: dict[str, object] = {"requirepass": password} if password else {}
    if consensus is not None:
        chosen["consensus"] = consensus.value
    bases = Bases(gateway_port, cluster_port, peer_port, http_port)
    ports, moved = plan(count, bases)
    cluster = Cluster(
        None if ephemeral else directory,
        ports=ports,
        settings=chosen,
    )
    terminal = Terminal()
    terminal.say(data_label(cluster.directory, ephemeral=ephemeral))
    for one in moved:
        terminal.say(_moved_words(one))
    with Stage(cluster, terminal) as stage, terminal:
        return stage.play() if stage.open() else 0


def _refuse_contradictions(groups: int, data: Path | None, *, ephemeral: bool) -> None:
    if groups != 1:
        raise SettingsWrong(
            f"--groups {groups} cannot be used: nothing was started",
            cause="keys are not spread over several groups yet",
            next_step="leave --groups out, or say --groups 1",
        )
    if ephemeral and data is not None:
        raise SettingsWrong(
            "--data and --ephemeral contradict each other: nothing was started",
            cause="--ephemeral drops its data at the end, --data keeps it",
            next_step="leave one of them out",
        )


def _register(verb: str, text: str) -> None:
    def ask(node: str | None = None, *, data: Path | None = None) -> int:
        print(control.ask(running.find(data and data.absolute()), verb, node))
        return 0

    ask.__doc__ = f"""{text}

    Args:
        node: the node's name, for example n2.
        data: directory of the demo meant; without it the one started last.
    """
    demo.command(ask, name=verb)


_register("kill", "End a node by SIGKILL; without a name, the leader.")
_register("restart", "Start the nodes that are down, or end and start the named one.")
_register("pause", "Stop a node in its tracks by SIGSTOP; without a name, the leader.")
_register("partition", "Cut a node's links to all others; without a name, the leader's.")
_register("heal", "Join all links again and let paused nodes go on.")
_register("status", "Print what the demo knows of its nodes.")


def _refuse_second(directory: Path, *, ephemeral: bool) -> None:
    if ephemeral or running.find(directory) is None:
        return
    with socket.socket(socket.AF_UNIX) as caller:
        found = running.find(directory)
        if found is None or caller.connect_ex(found.control) != 0:
            return
    raise WrongDirectory(
        f"a demo runs on {directory} already; nothing was started",
        cause=f"it is process {found.pid}",
        next_step="`pnyx demo status` shows it; --ephemeral or --data DIR starts another one",
    )


def _refuse_other_count(directory: Path, count: int) -> None:
    kept = len(list(directory.glob("n?.toml")))
    if kept not in {0, count}:
        raise WrongDirectory(
            f"the data in {directory} is of {kept} nodes, not {count}; nothing was started",
            cause="a cluster keeps the members it was formed with",
            next_step=f"say --nodes {kept}, --data DIR or --ephemeral",
        )


def _refuse_other_engine(directory: Path, consensus: EngineName | None) -> None:
    settings = directory / "n1.toml"
    engine = kept(settings, "consensus") or EngineName.RAFT
    if consensus is not None and settings.exists() and engine != consensus:
        raise WrongDirectory(
            f"the data in {directory} was written by {engine}; nothing was started",
            cause=f"--consensus {consensus} is another engine, which cannot read its promises",
            next_step="leave --consensus out, or say --data DIR or --ephemeral",
        )


def _moved_words(moved: Moved) -> str:
    option = OPTION_OF.get(moved.kind, "--peer-port")
    return f"    port {moved.wanted} is taken; {moved.kind} uses {moved.used} ({option} chooses)"
