"""Disks with a history: logs that a cluster could have had, written before it starts."""

from collections.abc import Sequence
from itertools import count

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Entry, EntryKind, HardState, Write
from pnyx.ids import Index, Term
from pnyx.lab.disk import WAL_SETTINGS
from pnyx.lab.stage import VALUE_BYTES_MAX, WorldStage
from pnyx.lab.surroundings import GROUP
from pnyx.machine.commands import Batch, Set, encode
from pnyx.storage.wal import GroupWrite, Wal


def write_logs(stage: WorldStage, logs: Sequence[Sequence[int]]) -> None:
    """Let node 1, 2, ... of a formed cluster hold a log of these terms, one command an entry."""
    processes = [stage.process(node) for node in range(1, 1 + len(logs))]
    formed = Formed(tuple((each.label, each.node) for each in processes), complete=True)
    for process, terms in zip(processes, logs, strict=True):
        wal, _ = Wal.open(process.disk.files, process.identity, WAL_SETTINGS, {}, count(1).__next__)
        # What was voted in the newest term is not known any more: for whoever led it, say.
        hard_state = HardState(Term(terms[-1]))
        entries = tuple(_entry(index, term) for index, term in enumerate(terms, start=1))
        write = Write(1, hard_state, entries, None, None)
        wal.append([GroupWrite(GROUP, write)], formed)
        wal.close()
        watches = stage.world.watches
        watches.asked(process, GroupWrite(GROUP, write))
        watches.durable(process, [GroupWrite(GROUP, write)])


def _entry(index: int, term: int) -> Entry:
    command = Set(b"value", b"%d/%d" % (term, index))
    payload = encode(Batch(0, VALUE_BYTES_MAX, (command,)))
    return Entry(Index(index), Term(term), EntryKind.COMMANDS, payload)
