"""server and init: a node in the foreground, and the settings files of a cluster."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pnyx.cli.options import Flag
from pnyx.errors import SettingsWrong
from pnyx.harness import serve
from pnyx.node.example import init_files
from pnyx.node.settings import NodeAddress
from pnyx.node.sources import load


def server(
    *,
    config: Path,
    overrides: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
) -> int:
    """Run one node in the foreground until SIGTERM; status 74 if its disk fails.

    Args:
        config: the node's settings file, as `pnyx init` writes it.
        overrides: KEY=VALUE, for example raft.heartbeat_ms=100; stronger than file and environment.
    """
    settings = load(config, environ=os.environ, flags=serve.overrides(overrides))
    serve.run(settings)


def init(
    *,
    nodes: str,
    directory: Annotated[Path, Parameter(name="--dir")] = Path(),
    groups: int | None = None,
    shards: int | None = None,
    insecure: Flag = False,
    password: str = "",
) -> int:
    """Write a settings file for each node of a new cluster: DIR/n1.toml and so on.

    Args:
        nodes: NAME=HOST, separated by commas, for example n1=10.77.0.1,n2=10.77.0.2,n3=10.77.0.3.
        directory: where the files go; files that exist are never overwritten.
        groups: groups of keys to begin with, each with a leader of its own; 1 if not said.
        shards: how many parts of the keyspace can move between groups; 256 if not said.
        insecure: allow addresses that others can reach without a password.
        password: what clients must say with AUTH.
    """
    addresses = {label: NodeAddress(host=host) for label, host in _hosts(nodes).items()}
    founded = {"groups": groups, "shards": shards}
    extra: dict[str, object] = {name: value for name, value in founded.items() if value is not None}
    if insecure:
        extra["insecure"] = True
    if password:
        extra["requirepass"] = password
    for path in init_files(addresses, directory, extra=extra):
        print(path)
    print("start each on its own machine:  pnyx server --config FILE", file=sys.stderr)
    return 0


def _hosts(nodes: str) -> dict[str, str]:
    hosts: dict[str, str] = {}
    for pair in nodes.split(","):
        label, equals, host = pair.strip().partition("=")
        twice = label if label in hosts else host if host in hosts.values() else ""
        if not (equals and label and host) or twice:
            # All listen on the same ports, so that a host has room for one.
            raise SettingsWrong(
                f"--nodes {nodes} cannot be used; nothing was written",
                cause=f"{twice} stands twice" if twice else f"{pair!r} is not NAME=HOST",
                next_step="write --nodes n1=10.77.0.1,n2=10.77.0.2,n3=10.77.0.3",
            )
        hosts[label] = host.removeprefix("[").removesuffix("]")
    return hosts
