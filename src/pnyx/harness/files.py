"""The settings files of a cluster whose nodes all run on this machine."""

import json
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pnyx.harness.process import NodeProcess

Chosen: TypeAlias = Mapping[str, bool | int | str | Mapping[str, bool | int | str]]
"""Settings that all nodes get: values by key, and tables of values by the table's name."""


def write_all(directory: Path, nodes: Sequence[NodeProcess], chosen: Chosen) -> None:
    """Write one file a node; the cluster id of a file that exists already is kept."""
    cluster_id = _kept_cluster_id(nodes[0].settings_path) or secrets.token_hex(16)
    for own in nodes:
        lines = [
            f"name = {json.dumps(own.label)}",
            f"cluster_id = {json.dumps(cluster_id)}",
            f"data = {json.dumps(str(directory.resolve() / own.label))}",
            "faults = true",
            *_rows({key: value for key, value in chosen.items() if not isinstance(value, Mapping)}),
        ]
        for table, rows in chosen.items():
            if isinstance(rows, Mapping):
                lines += ["", f"[{table}]", *_rows(rows)]
        for node in nodes:
            lines += [
                "",
                f"[nodes.{node.label}]",
                f"host = {json.dumps(node.host)}",
                f"gateway_port = {node.ports.gateway}",
                f"cluster_port = {node.ports.cluster}",
                f"peer_port = {node.ports.peers}",
                f"http_port = {node.ports.http}",
            ]
        own.settings_path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rows(values: Mapping[str, object]) -> list[str]:
    # JSON's words for strings, numbers and booleans are TOML's, too.
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]


def _kept_cluster_id(path: Path) -> str | None:
    try:
        kept = tomllib.loads(path.read_text(encoding="utf-8")).get("cluster_id")
    except (FileNotFoundError, tomllib.TOMLDecodeError):
        return None
    return kept if isinstance(kept, str) else None
