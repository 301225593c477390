"""A stopped node's data directory, read or made a cluster of its own: `pnyx node recover`."""

from dataclasses import dataclass
from pathlib import Path

from pnyx.consensus.formation import Formed
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Mark
from pnyx.errors import WrongDirectory
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.node.disk import Disk, open_data
from pnyx.replica.survivor import alone, newest_membership
from pnyx.storage.identity import read_identity
from pnyx.storage.wal import GroupWrite, WalSettings


@dataclass(frozen=True, slots=True)
class SurvivingGroup:
    """What a stopped node holds of one group."""

    group: GroupId
    term: Term
    last: Mark
    """Its log's end. Of several survivors the one with the highest term here, then the highest
    index, lacks least."""
    applied: Index
    membership: Membership


@dataclass(frozen=True, slots=True)
class Survivor:
    """What a stopped node holds."""

    label: str
    node: NodeId
    groups: tuple[SurvivingGroup, ...]
    """Ascending, the controller first."""


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
    """Durably make the node the only member of all of its groups; return what it held. Blocks.

    Raises:
        WrongDirectory, LostDisk, DiskFailed: as `survey`; nothing was changed.
    """
    disk = _open(data)
    try:
        seen = _seen(disk)
        writes = []
        for one in seen.groups:
            hard_state = disk.groups[one.group].log.hard_state
            _, write = alone(seen.node, seen.label, one.membership, one.last, hard_state)
            writes.append(GroupWrite(one.group, write))
        disk.wal.append(writes)
        return seen
    finally:
        disk.close()


def _open(data: Path) -> Disk:
    identity = read_identity(data)
    return open_data(data, identity.cluster, identity.label, WalSettings(), identity.consensus)


def _seen(disk: Disk) -> Survivor:
    formed = disk.formed
    if formed is None or not formed.complete:
        raise WrongDirectory(
            f"{disk.directory.path} was never part of a working cluster; nothing was changed",
            cause="its cluster had not formed when it ran last: it has acknowledged nothing",
            next_step="start all nodes of its settings, with empty data directories if need be",
        )
    groups = tuple([_group(disk, group, formed) for group in disk.groups])
    return Survivor(disk.directory.identity.label, disk.node, groups)


def _group(disk: Disk, group: GroupId, formed: Formed) -> SurvivingGroup:
    log = disk.groups[group].log
    last = log.compacted
    if log.entries:
        last = Mark(log.entries[-1].index, log.entries[-1].term)
    base = disk.membership(group, formed)
    membership = newest_membership(base, log.compacted, log.entries)
    applied = disk.groups[group].group.applied.index
    return SurvivingGroup(group, log.hard_state.term, last, applied, membership)
