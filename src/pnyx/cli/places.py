"""Which cluster a command means: a settings file's, one node's page, the running demo's."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pnyx.admin.controller import Cluster
from pnyx.admin.health import ask_all
from pnyx.cli import running
from pnyx.cli.keys import parsed
from pnyx.node.sources import load

DEFAULT_PAGE: Final = ("127.0.0.1", 8301)


def cluster_of(config: Path | None, http: str | None, given: str | None) -> Cluster:
    """Return the cluster meant, and the password as given, of the file, or of the demo."""
    return Cluster(pages(config, http), password(config, http, given))


def pages(config: Path | None, http: str | None) -> dict[str, tuple[str, int]]:
    """Return the http pages to ask: label -> host and port."""
    if config is not None:
        settings = load(config, environ=os.environ)
        return {
            label: (node.host, node.http_port) for label, node in sorted(settings.nodes.items())
        }
    found = running.find() if http is None else None
    if found is not None:
        return {node.label: (node.host, node.http_port) for node in found.nodes}
    seed = parsed(http) if http is not None else DEFAULT_PAGE
    (asked,) = ask_all({f"{seed[0]}:{seed[1]}": seed})
    if asked.report is None:
        return {asked.label: seed}
    document: Mapping[str, Any] = msgspec.json.decode(asked.document)
    placed = [member for member in document["members"] if member["host"] and member["label"]]
    listed = {member["label"]: (member["host"], member["http_port"]) for member in placed}
    return {document["label"]: seed} | listed


def is_demo(places: Mapping[str, tuple[str, int]]) -> bool:
    """Return whether `pnyx demo` can do something to the nodes whose pages these are."""
    found = running.find()
    return found is not None and any(
        (node.host, node.http_port) in places.values() for node in found.nodes
    )


def password(config: Path | None, http: str | None, given: str | None) -> str | None:
    """Return what the nodes' `requirepass` says: as given, of the file, or of the demo."""
    if given is not None:
        return given
    if config is not None:
        return load(config, environ=os.environ).requirepass or None
    found = running.find() if http is None else None
    return found.password or None if found is not None else None
