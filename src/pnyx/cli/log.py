"""log dump and log verify: what recovery would say about a node's write-ahead log, offline."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from cyclopts import App

from pnyx.cli.output import Form, show
from pnyx.consensus.ready import Entry, EntryKind
from pnyx.machine import commands
from pnyx.storage.files import DiskFiles
from pnyx.storage.identity import WAL_NAME, read_identity
from pnyx.storage.recovery import Recovery, Verdict, recover

log = App(
    name="log", help="Read a node's write-ahead log; nothing is changed, the node may be running."
)

INTACT: Final = 0
LOST: Final = 74
SHOWN_BYTES: Final = 60


@log.command
def verify(data: Path, *, output: Form = "table") -> int:
    """Check every batch of the log; exit status 74 if durable bytes are gone or wrong.

    Args:
        data: the node's data directory, as `data` in its settings file.
        output: table shows what is not valid, and the sum; the others show every batch.
    """
    recovery = _read(data)
    decisions = recovery.recovered.decisions
    columns = ("segment", "batch", "offset", "verdict", "why")
    chosen = [d for d in decisions if output != "table" or d.verdict is not Verdict.VALID]
    if chosen:
        show(({**one._asdict(), "verdict": one.verdict.value} for one in chosen), columns, output)
    if output == "table":
        valid = sum(one.verdict is Verdict.VALID for one in decisions)
        print(f"{len(decisions)} batches, {valid} valid, in segments up to {recovery.sequence}")
    if recovery.lost is not None:
        raise recovery.lost
    return INTACT


@log.command
def dump(data: Path, *, output: Form = "table") -> int:
    """Print every entry that the log holds, oldest first.

    Args:
        data: the node's data directory, as `data` in its settings file.
        output: json and jsonl show whole commands, table and plain their beginning.
    """
    recovery = _read(data)
    columns = ("group", "index", "term", "kind", "bytes", "content")
    show(_entries(recovery, whole=output in {"json", "jsonl"}), columns, output)
    if recovery.lost is not None:
        raise recovery.lost
    return INTACT


def _read(data: Path) -> Recovery:
    identity = read_identity(data)
    # What the space has applied is not looked at, for a running node holds it open: damage that
    # a snapshot covers may be called lost here and ignored by the node itself.
    return recover(DiskFiles(data / WAL_NAME), identity.cluster, identity.node, {})


def _entries(recovery: Recovery, *, whole: bool) -> Iterator[dict[str, object]]:
    for group, recovered in sorted(recovery.recovered.groups.items()):
        for entry in recovered.entries:
            content = _content(entry)
            if not whole and len(content) > SHOWN_BYTES:
                content = f"{content[:SHOWN_BYTES]}..."
            yield {
                "group": group,
                "index": entry.index,
                "term": entry.term,
                "kind": EntryKind(entry.kind).name.lower(),
                "bytes": len(entry.payload),
                "content": content,
            }


def _content(entry: Entry) -> str:
    if entry.kind is not EntryKind.COMMANDS:
        return ""
    try:
        batch = commands.decode(entry.payload)
    except msgspec.DecodeError as error:
        return f"cannot be read: {error}"
    return " ".join(repr(command) for command in batch.commands)
