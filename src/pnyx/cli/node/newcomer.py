"""The settings file of a node that is to be added to a running cluster."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pnyx.errors import SettingsWrong
from pnyx.node.example import FILE_MODE, is_host, settings_file
from pnyx.node.settings import PORT_KINDS, NodeAddress, Settings
from pnyx.node.sources import load

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PORTS: Final = re.compile(r"(.+):(\d+),(\d+),(\d+),(\d+)")
_ITS_OWN: Final = frozenset({"name", "cluster_id", "data"})


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A node to be added."""

    label: str
    address: NodeAddress | None
    """None: its settings file exists."""

    @classmethod
    def parsed(cls, word: str) -> "Newcomer":
        """Return the node of LABEL, LABEL=HOST or LABEL=HOST:GATEWAY,CLUSTER,PEER,HTTP.

        Raises:
            SettingsWrong: it is none of these.
        """
        label, equals, rest = word.partition("=")
        found = _PORTS.fullmatch(rest)
        host = found[1] if found else rest
        ports = dict(zip(PORT_KINDS, map(int, found.groups()[1:]), strict=True)) if found else {}
        if not _LABEL.fullmatch(label):
            raise _wrong(word, "a label has letters a-z, digits, hyphens, at most 32 of them")
        if not equals:
            return cls(label, None)
        host = host.removeprefix("[").removesuffix("]")
        if not is_host(host):
            raise _wrong(word, f"{host!r} is neither an address nor the name of a host")
        try:
            return cls(label, NodeAddress(host=host, **ports))
        except ValidationError as error:
            raise _wrong(word, error.errors()[0]["msg"]) from error


def write_file(
    newcomer: Newcomer,
    directory: Path,
    status: Mapping[str, Any],
    config: Path | None,
    password: str | None,
) -> Path:
    """Write the node's settings file, unless it is there already, and return its path.

    It names all members that the leader's `status` names. The other settings are those of
    `config`, a running node's file; without one, the defaults.

    Raises:
        SettingsWrong: a member has its label or one of its ports, or a file of that name is another
            node's or of another address, or cannot be written.
    """
    assert newcomer.address is not None, "it is where this says"
    path = directory / f"{newcomer.label}.toml"
    nodes = placed(newcomer, status)
    if path.exists():
        _check(path, newcomer, status["cluster_id"])
        return path
    extra = {} if config is None else _chosen(load(config), config)
    if password:
        extra["requirepass"] = password
    text = settings_file(newcomer.label, status["cluster_id"], nodes, extra)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.touch(mode=FILE_MODE, exist_ok=False)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsWrong(
            f"cannot write {path}; nothing was changed",
            cause=error.strerror or str(error),
            next_step="choose a directory that this user may write, with --dir",
        ) from error
    return path


def placed(newcomer: Newcomer, status: Mapping[str, Any]) -> dict[str, NodeAddress]:
    """Return where all members that the leader's `status` names are, and the newcomer.

    Raises:
        SettingsWrong: a member has its label and is elsewhere, or is where it is to be.
    """
    nodes: dict[str, NodeAddress] = {}
    for member in status["members"]:
        if member["host"] and member["label"]:
            ports = {kind: member[kind] for kind in PORT_KINDS}
            nodes[member["label"]] = NodeAddress(host=member["host"], **ports)
    own = newcomer.address
    if own is None:
        return nodes
    for label, other in sorted(nodes.items()):
        if label == newcomer.label and other != own:
            step = f"choose another name; or, if {label} is meant, say `pnyx node add {label}`"
        elif label != newcomer.label and _overlap(own, other):
            step = "give the new node a host of its own, or ports that no other node has"
        else:
            continue
        raise SettingsWrong(
            f"{newcomer.label} cannot be added at {_shown(own)}; nothing was changed",
            cause=f"{label} is a member at {_shown(other)}",
            next_step=step,
        )
    return {**nodes, newcomer.label: own}


def _overlap(one: NodeAddress, other: NodeAddress) -> bool:
    return one.host == other.host and not set(one.ports).isdisjoint(other.ports)


def _shown(address: NodeAddress) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{','.join(map(str, address.ports))}"


def _check(path: Path, newcomer: Newcomer, cluster_id: str) -> None:
    settings = load(path, environ=os.environ)
    if (settings.name, settings.cluster_id) != (newcomer.label, cluster_id):
        raise SettingsWrong(
            f"{path} exists; nothing was changed",
            cause=f"it is of node {settings.name} of cluster {settings.cluster_id}, "
            f"not of {newcomer.label} of cluster {cluster_id}",
            next_step="choose another directory with --dir, or another name for the node",
        )
    assert newcomer.address is not None, "it is where this says"
    if settings.me != newcomer.address:
        raise SettingsWrong(
            f"{path} exists; nothing was changed",
            cause=f"it says that {newcomer.label} is at {_shown(settings.me)}, "
            f"not at {_shown(newcomer.address)}",
            next_step=f"say `pnyx node add {newcomer.label}` to use it as it is, or remove it",
        )


def _chosen(settings: Settings, config: Path) -> dict[str, object]:
    """Return what the file of another node says, but for what is its own."""
    chosen: dict[str, object] = {}
    for name, origin in settings.origins.items():
        if name in _ITS_OWN or name.startswith("nodes.") or origin != str(config):
            continue
        value: object = settings
        for step in name.split("."):
            value = getattr(value, step)
        chosen[name] = value
    return chosen


def _wrong(word: str, cause: str) -> SettingsWrong:
    return SettingsWrong(
        f"{word} cannot be used; nothing was changed",
        cause=cause,
        next_step="write n4=10.77.0.4, or n4=10.77.0.4:6379,7001,7101,8301 with its four ports",
    )
