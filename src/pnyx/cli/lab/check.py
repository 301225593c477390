"""lab check: is there an order of these operations that explains every reply?"""

import sys
import time
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from pnyx.admin.moves import counted
from pnyx.cli.statuses import OK, UNDECIDED, VIOLATED
from pnyx.cli.writing import refuse_unwritable, written
from pnyx.errors import HistoryUnreadable
from pnyx.lab.formats.reading import read
from pnyx.lab.history import History
from pnyx.lab.linearizability import Budget, Verdict, judge
from pnyx.lab.refutation import Refutation, refute
from pnyx.lab.report import page
from pnyx.lab.values import shown, thawed

STATUS: Final = {
    "linearizable": OK,
    "not linearizable": VIOLATED,
    "undecided": UNDECIDED,
}
SHRINKING_SECONDS: Final = 10.0
"""For the smallest failing part, after the verdict is there."""
SHOWN_MAX: Final = 30


def check(
    file: Path,
    *,
    model: Literal["register", "cas-register", "kv-append", "kv-versions"] | None = None,
    report: Path | None = None,
    seconds: float = 60.0,
    output: Annotated[Literal["table", "json"], Parameter(name=["--output", "-o"])] = "table",
) -> int:
    """Judge a file of client operations.

    Exit status 0 linearizable, 6 not linearizable, 7 undecided, 2 unreadable.

    Args:
        file: canonical JSON lines, a Jepsen log, or EDN maps.
        model: what the store should be, instead of what the file says or suggests.
        report: write a page for a browser, with all operations on a time axis, into this file.
        seconds: how long to search before the verdict is "undecided".
        output: table or json.
    """
    history = _history(file, model)
    refuse_unwritable(report)
    began = time.monotonic()
    verdict = judge(history, Budget(stop=lambda: time.monotonic() - began > seconds))
    took = time.monotonic() - began
    refutation = _refutation(history, verdict)
    if output == "json":
        print(msgspec.json.encode(_object(history, verdict, refutation, took)).decode())
    else:
        _tell(history, verdict, refutation, took)
    if report is not None:
        with written(report) as target:
            target.write(page(history, verdict, refutation, title=file.name).encode())
        print(f"{report} shows it in a browser", file=sys.stderr)
    return STATUS[verdict.word]


def _history(file: Path, model: str | None) -> History:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise HistoryUnreadable(
            f"{file} cannot be read", cause=str(error.strerror), next_step="name another file"
        ) from error
    return read(content, model)


def _refutation(history: History, verdict: Verdict) -> Refutation | None:
    if verdict.word != "not linearizable":
        return None
    began = time.monotonic()
    return refute(
        history, verdict, Budget(stop=lambda: time.monotonic() - began > SHRINKING_SECONDS)
    )


def _tell(history: History, verdict: Verdict, refutation: Refutation | None, took: float) -> None:
    operations = history.operations()
    keys = len({shown(one.key) for one in operations})
    clients = len({one.process for one in operations})
    print(
        f"{verdict.word.upper()}  {counted(len(operations), 'operation', 'operations')} of "
        f"{counted(clients, 'client', 'clients')} on {counted(keys, 'key', 'keys')}, "
        f"{history.model}, {took:.2f} s"
    )
    if refutation is not None:
        print(f"  why     {refutation.reason.sentence}")
        least = "smallest" if refutation.is_smallest else "smallest found"
        count = len(refutation.operations)
        part = counted(count, "operation", "operations")
        print(f"  part    the {least} that fails alone: {part} on one key")
        named = {one.number for one in refutation.reason.named}
        few = count <= SHOWN_MAX
        for one in refutation.operations:
            if few or one.number in named:
                line = f"line {one.line}" if one.line else ""
                mark = ">" if one.number in named else " "
                print(f"        {mark} {one.described()}: {one.call()} -> {one.reply()}  {line}")
    if verdict.word == "undecided":
        print(f"  why     the search ended after {verdict.steps} steps without an answer")
        print("  next    allow it more time with --seconds")


def _object(
    history: History, verdict: Verdict, refutation: Refutation | None, took: float
) -> dict[str, object]:
    found: dict[str, object] = {
        "verdict": verdict.word,
        "model": history.model,
        "operations": len(history.operations()),
        "steps": verdict.steps,
        "memory_bytes": verdict.bytes,
        "seconds": round(took, 3),
    }
    if verdict.word == "linearizable":
        found["order"] = [
            {"key": thawed(one.key), "operations": [o.name or o.number for o in one.found.order]}
            for one in verdict.keys
        ]
    if refutation is not None:
        named = {one.number for one in refutation.reason.named}
        found["why"] = refutation.reason.sentence
        found["smallest"] = refutation.is_smallest
        found["part"] = [
            {
                "operation": one.name or one.number,
                "process": one.process,
                "call": one.call(),
                "reply": one.reply(),
                "line": one.line,
                "named": one.number in named,
            }
            for one in refutation.operations
        ]
    return found
