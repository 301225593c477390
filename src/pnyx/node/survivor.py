"""A stopped node's data directory, read or made a group of its own: `pnyx node recover`."""

from dataclasses import dataclass
from pathlib import Path

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Mark
from pnyx.errors import WrongDirectory
from pnyx.ids import Index, NodeId, Term
from pnyx.node.disk import GROUP, Disk, open_data
from pnyx.replica.survivor import alone, newest_membership
from pnyx.storage.identity import read_identity
from pnyx.storage.wal import GroupWrite, WalSettings


@dataclass(frozen=True, slots=True)
class Survivor:
    """What a stopped node holds."""

    label: str
    node: NodeId
    term: Term
    last: Mark
    """Its log's end. Of several survivors the one with the highest term here, then the highest
    index, lacks least."""
    applied: Index
    membership: Membership


def survey(data: Path) -> Survivor:
    """Recover the directory as a start would, and say what it holds. Blocks.

    Raises:
        WrongDirectory: it is no data directory, its node runs, or it never was in a cluster.
        LostDisk, DiskFailed: as at a start.
    """
    disk = _open(data)
    try:
        return _seen(disk)
    finally:
        disk.close()


def go_on_alone(data: Path) -> Survivor:
    """Durably make the node the only member of its group; return what it held before. Blocks.

    Raises:
        WrongDirectory, LostDisk, DiskFailed: as `survey`; nothing was changed.
    """
    disk = _open(data)
    try:
        seen = _seen(disk)
        _, write = alone(seen.node, seen.label, seen.membership, seen.last, disk.log.hard_state)
        disk.wal.append([GroupWrite(GROUP, write)])
        return seen
    finally:
        disk.close()


def _open(data: Path) -> Disk:
    identity = read_identity(data)
    return open_data(data, identity.cluster, identity.label, WalSettings(), identity.consensus)


def _seen(disk: Disk) -> Survivor:
    if disk.formed is None or not disk.formed.complete:
        raise WrongDirectory(
            f"{disk.directory.path} was never part of a working cluster; nothing was changed",
            cause="its cluster had not formed when it ran last: it has acknowledged nothing",
            next_step="start all nodes of its settings, with empty data directories if need be",
        )
    log = disk.log
    last = log.compacted
    if log.entries:
        last = Mark(log.entries[-1].index, log.entries[-1].term)
    base = disk.adopt_membership(disk.formed)
    membership = newest_membership(base, log.compacted, log.entries)
    label = disk.directory.identity.label
    applied = disk.group.applied.index
    return Survivor(label, disk.node, log.hard_state.term, last, applied, membership)
