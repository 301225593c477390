"""The settings files of a cluster whose nodes all run on this machine."""

import secrets
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pnyx.harness.process import NodeProcess
from pnyx.harness.proxy import FaultProxy
from pnyx.node.example import settings_file
from pnyx.node.settings import NodeAddress


def write_all(
    directory: Path,
    nodes: Sequence[NodeProcess],
    chosen: Mapping[str, object],
    proxy: FaultProxy | None,
) -> None:
    """Write one file a node; the cluster's id and engine of a file that exists already are kept.

    `chosen` are settings by dotted name that all nodes get. With a `proxy` every node finds the
    others at the ports that it has there for this node.
    """
    cluster_id = kept(nodes[0].settings_path, "cluster_id") or secrets.token_hex(16)
    addresses = _addresses(nodes)
    for own in nodes:
        seen = _through(proxy, own.label, addresses) if proxy is not None else addresses
        _write(directory, own, cluster_id, seen, chosen)


def write_new(directory: Path, nodes: Sequence[NodeProcess], chosen: Mapping[str, object]) -> None:
    """Write the file of the last of `nodes`, which lists all of them; those of the others stay."""
    cluster_id = kept(nodes[0].settings_path, "cluster_id")
    assert cluster_id is not None, "the others have their files"
    _write(directory, nodes[-1], cluster_id, _addresses(nodes), chosen)


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
    engine = kept(own.settings_path, "consensus")
    extra = {"faults": True, **({"consensus": engine} if engine else {}), **chosen}
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


def kept(path: Path, name: str) -> str | None:
    """Return the text that the settings file at `path` gives for `name`; None: it gives none."""
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8")).get(name)
    except (FileNotFoundError, tomllib.TOMLDecodeError):
        return None
    return value if isinstance(value, str) else None
