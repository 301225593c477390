"""config show, validate, example: what a settings file means, without starting a node."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclopts import App
from pydantic import BaseModel

from pnyx.cli.options import Flag
from pnyx.cli.output import Form, show as show_rows
from pnyx.cli.statuses import OK
from pnyx.node.example import example as example_file
from pnyx.node.settings import Settings
from pnyx.node.sources import SECRETS, load

config = App(name="config", help="Read settings files; nothing is started.")


@config.command
def show(
    path: Path,
    *,
    origin: Flag = False,
    output: Form = "table",
) -> int:
    """Print every setting with the value that a node would use; the password is masked.

    Args:
        path: a node's settings file.
        origin: say for each value where it comes from: file, variable, flag or default.
        output: table, json, jsonl or plain.
    """
    settings = load(path, environ=os.environ)
    columns = ("setting", "value", "origin") if origin else ("setting", "value")
    show_rows(_rows(settings, columns), columns, output)
    return OK


@config.command
def validate(path: Path) -> int:
    """Check a settings file; exit status 2 and an error if a node would refuse it.

    Args:
        path: a node's settings file.
    """
    settings = load(path, environ=os.environ)
    print(f"{path} is sound: node {settings.name} of {len(settings.nodes)}")
    return OK


@config.command
def example() -> int:
    """Print a settings file with every setting, its default and its sentence."""
    print(example_file(), end="")
    return OK


def _rows(settings: Settings, columns: tuple[str, ...]) -> Iterator[dict[str, object]]:
    for name, value in _leaves(settings, ""):
        secret = name in SECRETS and value
        row = {
            "setting": name,
            "value": "***" if secret else str(value),
            "origin": settings.origin(name),
        }
        yield {column: row[column] for column in columns}


def _leaves(part: BaseModel, above: str) -> Iterator[tuple[str, Any]]:
    for key in type(part).model_fields:
        value = getattr(part, key)
        match value:
            case BaseModel():
                yield from _leaves(value, f"{above}{key}.")
            case dict() if key == "nodes":
                for label, address in sorted(value.items()):
                    yield from _leaves(address, f"nodes.{label}.")
            case _ if key != "origins":
                yield above + key, value
