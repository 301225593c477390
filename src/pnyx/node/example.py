"""Settings files that pnyx writes itself: those of `pnyx init`, and the commented example."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pnyx.errors import SettingsWrong
from pnyx.node.catalogue import CATALOGUE, LABEL, Row
from pnyx.node.settings import NodeAddress, is_loopback

FILE_MODE: Final = 0o600
"""A settings file may hold the password."""


def init_files(
    nodes: Mapping[str, NodeAddress],
    directory: Path,
    *,
    extra: Mapping[str, object] | None = None,
) -> list[Path]:
    """Write one settings file a node, `directory`/<label>.toml, and return their paths.

    They share a fresh cluster id. `data` is <label>, next to the file.

    Args:
        nodes: all nodes by label.
        directory: made if it does not exist.
        extra: more settings by dotted name (``insecure``, ``raft.heartbeat_ms``), in every file.

    Raises:
        SettingsWrong: one of the files exists, or the directory cannot be written, or a host can
            be reached by others and neither password nor ``insecure`` is set. Nothing was written.
    """
    said = dict(extra or {})
    _refuse_exposed(nodes, said)
    paths = [directory / f"{label}.toml" for label in sorted(nodes)]
    for path in paths:
        if path.exists():
            raise SettingsWrong(
                f"{path} exists; nothing was written",
                cause="its cluster id may be that of a cluster that holds data",
                next_step="choose another directory, or remove the files if you are sure",
            )
    cluster_id = secrets.token_hex(16)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for label, path in zip(sorted(nodes), paths, strict=True):
            path.touch(mode=FILE_MODE, exist_ok=False)
            path.write_text(settings_file(label, cluster_id, nodes, said), encoding="utf-8")
    except OSError as error:
        raise SettingsWrong(
            f"cannot write settings files in {directory}",
            cause=error.strerror or str(error),
            next_step="choose a directory that this user may write",
        ) from error
    return paths


def settings_file(
    name: str,
    cluster_id: str,
    nodes: Mapping[str, NodeAddress],
    extra: Mapping[str, object],
    data: str | None = None,
) -> str:
    """Return the text of one node's file: what must be said, and `extra`."""
    lines = [f"# pnyx settings of node {name}. All of them: docs/reference/settings.md.", ""]
    top: dict[str, object] = {"name": name, "cluster_id": cluster_id, "data": data or name}
    tables: dict[str, dict[str, object]] = {}
    for key, value in extra.items():
        table, _, last = key.rpartition(".")
        (tables.setdefault(table, {}) if table else top)[last] = value
    lines += [f"{key} = {_toml(value)}" for key, value in top.items()]
    for label, address in sorted(nodes.items()):
        tables[f"nodes.{label}"] = address.model_dump()
    for table, values in tables.items():
        lines += ["", f"[{table}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def example() -> str:
    """Return a file with every setting, its sentence, range and default."""
    lines = ["# Every setting of pnyx. What is commented out shows its default."]
    table = ""
    for row in CATALOGUE.values():
        above, _, key = row.name.replace(LABEL, "n1").rpartition(".")
        if above != table:
            table = above
            lines += ["", f"[{table}]"]
        shown = _EXAMPLES.get(row.name)
        line = f"{key} = {_toml(row.default if shown is None else shown)}"
        lines += ["", f"# {row.sentence} ({row.allowed})", line if shown else f"# {line}"]
    return "\n".join(lines) + "\n"


def reference() -> str:
    """Return the table of docs/reference/settings.md."""
    lines = ["| setting | default | allowed | what it does |", "|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | {_shown_default(row)} | {row.allowed} | {row.sentence} |"
        for row in CATALOGUE.values()
    ]
    return "\n".join(lines) + "\n"


_EXAMPLES: Final[Mapping[str, str]] = {
    "name": "n1",
    "cluster_id": "00112233445566778899aabbccddeeff",
    "data": "n1",
    f"nodes.{LABEL}.host": "127.0.0.1",
}


def _shown_default(row: Row) -> str:
    return "required" if row.default is None else f"`{_toml(row.default)}`"


def _toml(value: object) -> str:
    # TOML's basic strings, integers and booleans are written like JSON's.
    return json.dumps(value, ensure_ascii=False)


def _refuse_exposed(nodes: Mapping[str, NodeAddress], said: Mapping[str, object]) -> None:
    if said.get("insecure") or said.get("requirepass"):
        return
    exposed = [label for label, address in sorted(nodes.items()) if not is_loopback(address.host)]
    if exposed:
        raise SettingsWrong(
            f"{', '.join(exposed)} can be reached by others; nothing was written",
            cause="without a password anybody could read and write everything",
            next_step="give a password, use loopback addresses, or say --insecure",
        )
