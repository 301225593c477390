"""Settings files that pnyx writes itself: those of `pnyx init`, and the commented example."""

import ipaddress
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pnyx.errors import SettingsWrong
from pnyx.node.catalogue import CATALOGUE, LABEL, Row, row_of
from pnyx.node.settings import NODE_COUNT_MAX, Contradiction, NodeAddress, Settings, is_loopback

FILE_MODE: Final = 0o600
"""A settings file may hold the password."""

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?",
    re.IGNORECASE,
)


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
        SettingsWrong: a node would refuse its file, or one of the files exists, or the directory
            cannot be written, or a host can be reached by others and neither password nor
            ``insecure`` is set. Nothing was written.
    """
    said = dict(extra or {})
    for label, address in sorted(nodes.items()):
        if not is_host(address.host):
            raise SettingsWrong(
                f"{label}={address.host} cannot be used; nothing was written",
                cause=f"{address.host!r} is neither an address nor the name of a host",
                next_step="write the host alone, without a port, as n1=10.77.0.1",
            )
    _refuse_exposed(nodes, said)
    refuse_unusable(nodes, said)
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


def refuse_unusable(nodes: Mapping[str, NodeAddress], extra: Mapping[str, object]) -> None:
    """Refuse what one of these nodes would refuse to start with, were it in its file.

    Args:
        nodes: all nodes by label.
        extra: more settings by dotted name.

    Raises:
        SettingsWrong: with the first thing wrong.
    """
    tree: dict[str, object] = {"cluster_id": "0" * 32, "data": ".", "nodes": nodes}
    for key, value in extra.items():
        *tables, last = key.split(".")
        table: Any = tree
        for step in tables:
            table = table.setdefault(step, {})
        table[last] = value
    for label in sorted(nodes):
        try:
            Settings.model_validate({**tree, "name": label})
        except ValidationError as error:
            raise _refusal(error.errors()[0]) from error


def is_host(host: str) -> bool:
    """Return whether `host` may be an address or the name of a host; nobody is asked."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # A name whose last part is a number is an address with a mistake (WHATWG URL §3.5).
        named = _HOST_NAME.fullmatch(host) is not None
        return named and not host.rpartition(".")[2].isdigit()
    return True


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


def _refusal(detail: ErrorDetails) -> SettingsWrong:
    problem = detail.get("ctx", {}).get("error")
    if isinstance(problem, Contradiction):
        return SettingsWrong(
            "these settings contradict each other; nothing was written",
            cause=str(problem),
            next_step=problem.next_step,
        )
    if detail["type"] == "too_long":
        return SettingsWrong(
            f"a new cluster of {len(detail['input'])} nodes cannot be; nothing was written",
            cause=f"{NODE_COUNT_MAX} are the limit: more make every write slower, none is safer",
            next_step=f"name {NODE_COUNT_MAX} nodes or fewer",
        )
    name = ".".join(map(str, detail["loc"]))
    if name == "name" or name.endswith("[key]"):
        return SettingsWrong(
            f"{detail['input']!r} cannot be a node's name; nothing was written",
            cause="a name has letters a-z, digits and hyphens, at most 32 of them",
            next_step="choose another one, for example n1",
        )
    row = row_of(name)
    return SettingsWrong(
        f"{name} = {detail['input']!r} cannot be used; nothing was written",
        cause=f"allowed: {row.allowed if row else detail['msg']}",
        next_step=f"correct it. {row.sentence if row else ''}".rstrip(),
    )


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
