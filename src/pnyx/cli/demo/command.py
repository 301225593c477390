"""What can be typed: `pnyx demo`, and the faults for its nodes from a second terminal."""

import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal

from cyclopts import App

from pnyx.admin.moves import counted
from pnyx.cli import running
from pnyx.cli.demo import control
from pnyx.cli.demo.stage import Stage, data_label
from pnyx.cli.demo.terminal import Terminal
from pnyx.cli.options import Flag
from pnyx.consensus.engines import EngineName
from pnyx.errors import SettingsWrong, WrongDirectory
from pnyx.harness.cluster import HOST, Cluster, NotInTime
from pnyx.harness.files import kept
from pnyx.harness.ports import PORT_MAX, Bases, Moved, plan
from pnyx.harness.process import StartFailed
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.node.example import refuse_unusable
from pnyx.node.settings import NodeAddress

demo = App(
    name="demo",
    help="Run a cluster of real nodes on this machine, or do something to the running one.",
    help_epilogue="Keys on a terminal: k kill the leader, r restart, p partition, h heal, "
    "l load on/off, s add a group, q quit. Without one the demo runs until SIGTERM.",
)

GROUPS_DEFAULT: Final = 3
"""So that there is something to see: each node leads one."""
OPTION_OF: Final = {
    "gateway": "--gateway-port",
    "cluster": "--cluster-port",
    "peers": "--peer-port",
    "http": "--http-port",
}


@demo.default
def start(
    *,
    nodes: Literal["1", "3", "5"] = "3",
    groups: int | None = None,
    shards: int | None = None,
    consensus: EngineName | None = None,
    data: Path | None = None,
    ephemeral: Flag = False,
    gateway_port: int = 6379,
    cluster_port: int = 7001,
    peer_port: int = 7101,
    http_port: int = 8301,
    password: str = "",
) -> int:
    """Run a cluster of real nodes on this machine until [q] or SIGTERM.

    Args:
        nodes: how many processes; 3 may lose one of them, 5 may lose two.
        groups: groups of keys to begin with, each with a leader of its own; 3 if not said. This and
            the next two are chosen when there is no data yet.
        shards: how many parts of the keyspace can move between groups; 256 if not said.
        consensus: the engine, raft or multipaxos; raft if not said.
        data: directory of logs and state, kept when the demo ends.
        ephemeral: use a temporary directory and drop it at the end; of a start that failed it
            stays, with the logs.
        gateway_port: first node's port for any Redis client; the next nodes get the next ports.
        cluster_port: first node's port for Redis Cluster clients.
        peer_port: first node's port for the other nodes.
        http_port: first node's port for /livez, /readyz, /metrics and /v1.
        password: what clients must say with AUTH.
    """
    _refuse_contradictions(data, ephemeral=ephemeral)
    count = int(nodes)
    bases = Bases(gateway_port, cluster_port, peer_port, http_port)
    _refuse_ports(bases, count)
    engine = None if consensus is None else consensus.value
    founded = {"groups": groups, "shards": shards, "consensus": engine}
    said: dict[str, str | int] = {
        name: value for name, value in founded.items() if value is not None
    }
    chosen: dict[str, object] = {
        "groups": GROUPS_DEFAULT,
        **said,
        **({"requirepass": password} if password else {}),
    }
    refuse_unusable({"n1": NodeAddress(host=HOST)}, chosen)
    if ephemeral:
        with _temporary() as directory:
            return _play(directory, count, bases, chosen, ephemeral=True)
    directory = (data or running.home() / "demo").expanduser().absolute()
    _refuse_second(directory)
    _make(directory)
    _refuse_other_count(directory, count)
    _refuse_other_founding(directory, said)
    return _play(directory, count, bases, chosen, ephemeral=False)


def _play(
    directory: Path, count: int, bases: Bases, chosen: Mapping[str, object], *, ephemeral: bool
) -> int:
    ports, moved = plan(count, bases)
    cluster = Cluster(directory, ports=ports, settings=chosen)
    terminal = Terminal()
    terminal.say(data_label(cluster.directory, ephemeral=ephemeral))
    for one in moved:
        terminal.say(_moved_words(one))
    with Stage(cluster, terminal) as stage, terminal:
        return stage.play() if stage.open() else 0


@contextmanager
def _temporary() -> Iterator[Path]:
    """Yield a directory that goes at the end; after a start that failed the logs stay."""
    directory = Path(tempfile.mkdtemp(prefix="pnyx-"))
    try:
        yield directory
    except (StartFailed, NotInTime):
        # The error names them.
        raise
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    shutil.rmtree(directory, ignore_errors=True)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise SettingsWrong(
            f"{directory} cannot hold a demo's data; nothing was started",
            cause=error.strerror or str(error),
            next_step="choose a directory that this user may write, with --data, or --ephemeral",
        ) from error


def _refuse_ports(bases: Bases, count: int) -> None:
    last_max = PORT_MAX + 1 - count
    for kind, base in asdict(bases).items():
        if not 1 <= base <= last_max:
            option = OPTION_OF[kind]
            raise SettingsWrong(
                f"{option} {base} cannot be used; nothing was started",
                cause=f"it is the first of {counted(count, 'port', 'ports')} in a row, and ports "
                f"are 1 to {PORT_MAX}",
                next_step=f"choose one from 1 to {last_max}, or leave {option} out",
            )


def _refuse_contradictions(data: Path | None, *, ephemeral: bool) -> None:
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
        data: directory of the demo meant; without it, of those that run, the one started last.
    """
    demo.command(ask, name=verb)


_register("kill", "End a node by SIGKILL; without a name, the leader.")
_register("restart", "Start the nodes that are down, or end and start the named one.")
_register("pause", "Stop a node in its tracks by SIGSTOP; without a name, the leader.")
_register("partition", "Cut a node's links to all others; without a name, the leader's.")
_register("heal", "Join all links again and let paused nodes go on.")
_register("status", "Print what the demo knows of its nodes.")


def _refuse_second(directory: Path) -> None:
    if running.find(directory) is None:
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


def _refuse_other_founding(directory: Path, said: Mapping[str, str | int]) -> None:
    settings = directory / "n1.toml"
    usual = {"groups": 1, "shards": SHARDS_DEFAULT, "consensus": EngineName.RAFT.value}
    for name, value in said.items():
        founded = kept(settings, name) or usual[name]
        if settings.exists() and founded != value:
            raise WrongDirectory(
                f"the data in {directory} began with {name} = {founded}; nothing was started",
                cause=f"--{name} {value} counts only when a cluster begins",
                next_step=f"leave --{name} out, or say --data DIR or --ephemeral",
            )


def _moved_words(moved: Moved) -> str:
    option = OPTION_OF[moved.kind]
    return f"    port {moved.wanted} is taken; {moved.kind} uses {moved.used} ({option} chooses)"
