"""Rows on standard output, in the form that was asked for."""

import base64
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

Form: TypeAlias = Annotated[
    Literal["table", "json", "jsonl", "plain"], Parameter(name=["--output", "-o"])
]
"""table for people, json and jsonl (an object a line) for programs, plain for shells."""


def show(rows: Iterable[Mapping[str, object]], columns: Sequence[str], form: Form) -> None:
    """Print `rows`; jsonl and plain print each one as it comes."""
    match form:
        case "jsonl":
            for row in rows:
                print(json.dumps(row), flush=True)
        case "plain":
            for row in rows:
                print("\t".join(_word(row.get(column)) for column in columns), flush=True)
        case "json":
            print(json.dumps(list(rows), indent=2))
        case "table":
            table = Table(*columns, box=None, pad_edge=False, header_style="bold")
            for row in rows:
                table.add_row(*(_word(row.get(column)) for column in columns))
            console().print(table)


def show_bytes(value: bytes) -> None:
    """Print bytes as they are, and an end of line only for a person."""
    sys.stdout.flush()
    sys.stdout.buffer.write(value)
    if sys.stdout.isatty():
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def text_fields(name: str, value: bytes) -> dict[str, str]:
    """Return bytes as a JSON field: `name` if it is text, else `name`_base64."""
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


def console() -> Console:
    """Return a console on standard output that obeys NO_COLOR."""
    return Console(
        file=sys.stdout, no_color=bool(os.environ.get("NO_COLOR")), highlight=False, soft_wrap=True
    )


def _word(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
