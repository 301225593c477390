"""log dump and log verify: what a start would make of a node's write-ahead log, offline."""

import sys
from pathlib import Path
from typing import Final

from cyclopts import App

from pnyx.cli.output import Form, show
from pnyx.errors import SettingsWrong
from pnyx.storage import inspection
from pnyx.storage.inspection import Verification
from pnyx.storage.recovery import Verdict

log = App(
    name="log", help="Read a node's write-ahead log; nothing is changed, the node may be running."
)

SOUND: Final = 0


@log.command
def verify(data: Path, *, output: Form = "table") -> int:
    """Run recovery on the log and say what it finds; exit status 1 if a start would refuse.

    Args:
        data: the node's data directory, as `data` in its settings file.
        output: table shows batches that are not valid and the groups; the others show every batch.
    """
    _refuse_file(data)
    found = inspection.verify(data)
    batches = [
        {**decision._asdict(), "verdict": decision.verdict.value}
        for decision in found.decisions
        if output != "table" or decision.verdict is not Verdict.VALID
    ]
    if batches or output != "table":
        show(batches, ("segment", "batch", "offset", "verdict", "why"), output)
    if output == "table":
        _summarise(found)
    if found.lost is not None:
        raise found.lost
    return SOUND


@log.command
def dump(data: Path, *, output: Form = "table") -> int:
    """Print every record of the log, oldest first.

    Args:
        data: the node's data directory, as `data` in its settings file.
        output: table, json, jsonl or plain; jsonl and plain print each record as it is read.
    """
    _refuse_file(data)
    columns = ("segment", "batch", "offset", "verdict", "what", "group", "index", "term", "detail")
    rows = ({column: getattr(row, column) for column in columns} for row in inspection.dump(data))
    show(rows, columns, output)
    return SOUND


def _refuse_file(data: Path) -> None:
    if data.exists() and not data.is_dir():
        raise SettingsWrong(
            f"{data} is no data directory; nothing was read",
            cause="it is a file",
            next_step="name the directory that `data` in a node's settings file says",
        )


def _summarise(found: Verification) -> None:
    groups = [row._asdict() for row in found.groups]
    show(groups, inspection.GroupRow._fields, "table")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counted().items() if count)
    print(f"node {found.identity.label}: {len(found.decisions)} batches: {counts or 'none'}")
    if found.is_running:
        print("the node is running: its last batch may be under way", file=sys.stderr)
