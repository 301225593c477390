"""The settings files of a cluster whose nodes all run on this machine."""

import secrets
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pnyx.harness.process import NodeProcess
from pnyx.harness.proxy import FaultProxy
from pnyx.node.example import settings_file
from pnyx.node.settings import NodeAddress

FOUNDED: Final = ("consensus", "groups", "shards")
"""Settings that count when a cluster is founded, and that its files keep."""


def write_all(
    directory: Path,
    nodes: Sequence[NodeProcess],
    chosen: Mapping[str, object],
    proxy: FaultProxy | None,
) -> None:
    """Write one file a node; a file that exists keeps the cluster's id, engine, groups and shards.

    `chosen` are settings by dotted name that all nodes get. With a `proxy` every node finds the
    others at the ports that it has there for this node.
    """
    cluster_id = _cluster_id(nodes) or secrets.token_hex(16)
    addresses = _addresses(nodes)
    for own in nodes:
        seen = _through(proxy, own.label, addresses) if proxy is not None else addresses
        _write(directory, own, cluster_id, seen, chosen)


def write_new(directory: Path, nodes: Sequence[NodeProcess], chosen: Mapping[str, object]) -> None:
    """Write the file of the last of `nodes`, which lists all of them; those of the others stay."""
    cluster_id = _cluster_id(nodes)
    assert cluster_id is not None, "the others have their files"
    _write(directory, nodes[-1], cluster_id, _addresses(nodes), chosen)


def _cluster_id(nodes: Sequence[NodeProcess]) -> str | None:
    said = kept(nodes[0].settings_path, "cluster_id")
    return said if isinstance(said, str) else None


def _addresses(nodes: Sequence[NodeProcess]) -> dict[str, NodeAddress]:
    return {
        node.label: NodeAddress(
            host=node.host,
            gateway_port=node.ports.gateway,
            cluster_port=node.ports.cluster,
            peer_port=node.ports.peers,
            http_port=node.ports.http,
        )
        for node in nodes
    }


def _write(
    directory: Path,
    own: NodeProcess,
    cluster_id: str,
    addresses: Mapping[str, NodeAddress],
    chosen: Mapping[str, object],
) -> None:
    data = str(directory.resolve() / own.label)
    said = {name: kept(own.settings_path, name) for name in FOUNDED}
    extra = {"faults": True, **{name: said[name] for name in FOUNDED if said[name]}, **chosen}
    text = settings_file(own.label, cluster_id, addresses, extra, data)
    # The file may hold a password.
    own.settings_path.touch(mode=0o600)
    own.settings_path.write_text(text, encoding="utf-8")


def _through(
    proxy: FaultProxy, own: str, addresses: Mapping[str, NodeAddress]
) -> dict[str, NodeAddress]:
    return {
        label: address
        if label == own
        else address.model_copy(update={"peer_port": proxy.port(own, label)})
        for label, address in addresses.items()
    }


def kept(path: Path, name: str) -> str | int | None:
    """Return what the settings file at `path` says of `name`; None: nothing."""
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8")).get(name)
    except (FileNotFoundError, tomllib.TOMLDecodeError):
        return None
    return value if isinstance(value, str | int) else None
