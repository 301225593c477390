"""Rows on standard output, in the form that was asked for."""

import base64
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

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
            for line in aligned([[_word(row.get(c)) for c in columns] for row in rows], columns):
                print(line)


def say_absent(what: str, listed_by: str) -> None:
    """Say on standard error that there is no such thing, and which command lists what there is."""
    print(
        f"error: there is no {what}\n  next    `{listed_by}` shows what there is", file=sys.stderr
    )


def aligned(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> list[str]:
    """Return the lines of a table: each column as wide as its longest word, nothing cut off."""
    whole = [list(columns), *rows]
    widths = [max(len(row[place]) for row in whole) for place in range(len(columns))]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in whole
    ]


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


def _word(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
