"""A node's data directory, opened in the order that safety needs.

Identity and lock first, so that nothing of a stranger's is touched; then the space, whose applied
index tells recovery what the log may lack; then the log; then whether the two agree.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pnyx.consensus.formation import Formed
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import HardState, Mark, Write
from pnyx.errors import LostDisk
from pnyx.ids import GroupId, Index, NodeId
from pnyx.machine.group import Group
from pnyx.node.settings import Settings
from pnyx.storage.files import DiskFiles
from pnyx.storage.identity import SPACE_NAME, WAL_NAME, DataDirectory
from pnyx.storage.recovery import Recovered, RecoveredGroup
from pnyx.storage.rocks import RocksSpace
from pnyx.storage.wal import GroupWrite, Wal, WalSettings

GROUP: Final = GroupId(1)
"""The one group there is until the controller places more."""


@dataclass(slots=True)
class Disk:
    """What a node starts from, all of it durable."""

    directory: DataDirectory
    space: RocksSpace
    group: Group
    wal: Wal
    formed: Formed | None
    log: RecoveredGroup

    @property
    def node(self) -> NodeId:
        """Whose directory it is."""
        return self.directory.identity.node

    def adopt_membership(self, formed: Formed) -> Membership:
        """Return the membership at the log's start: the machine's, or the one of formation."""
        if self.group.membership is None:
            voters = tuple(sorted(node for _, node in formed.nodes))
            self.group.membership = Membership(voters)
        return self.group.membership

    def bytes_held(self) -> int:
        """Return how many bytes the directory holds."""
        return sum(entry.stat().st_size for entry in self.directory.path.glob("*/*"))

    def close(self) -> None:
        """Flush the space, so that the next start replays nothing, and let the directory go."""
        self.space.flush()
        self.space.close()
        self.wal.close()
        self.directory.close()


def open_disk(settings: Settings) -> Disk:
    """Open, lock, recover and check the data directory of `settings`. Blocks.

    Raises:
        WrongDirectory: it belongs to another node, cluster or process; nothing was written.
        LostDisk: durable bytes are gone; nothing was overwritten.
        DiskFailed: it cannot be read or written.
    """
    directory = DataDirectory.open(settings.data, settings.cluster_id, settings.name)
    try:
        return _open_in(directory, settings)
    except BaseException:
        directory.close()
        raise


def _open_in(directory: DataDirectory, settings: Settings) -> Disk:
    space = RocksSpace(directory.path / SPACE_NAME)
    group = Group(space, GROUP)
    wal, recovered = Wal.open(
        DiskFiles(_made(directory.path / WAL_NAME)),
        directory.identity,
        WalSettings(
            segment_bytes=settings.storage.segment_bytes,
            reserve_bytes=settings.storage.low_space_bytes,
        ),
        {GROUP: group.applied.index},
        lambda: secrets.randbits(64),
    )
    directory.record_start()
    log = _agreed(recovered, group, wal, directory.path)
    return Disk(directory, space, group, wal, recovered.formed, log)


def _agreed(recovered: Recovered, group: Group, wal: Wal, path: Path) -> RecoveredGroup:
    """Return the log that goes with the space, restarted at an installed snapshot if need be."""
    log = recovered.groups.get(GROUP) or RecoveredGroup(HardState(), Mark(), [])
    applied = group.applied
    if applied.index < log.compacted.index:
        raise LostDisk(
            f"the state in {path / SPACE_NAME} ends before the log begins",
            cause=f"it holds entries up to {applied.index}, the log starts after "
            f"{log.compacted.index}",
            next_step="move this node's data away and replace the node: it joins anew",
        )
    if _term_at(log, applied.index) == applied.term:
        return log
    if group.installed != applied:
        raise LostDisk(
            f"the log in {path / WAL_NAME} does not reach the state",
            cause=f"the state holds entry {applied.index} of term {applied.term}, "
            f"the log ends at {log.compacted.index + len(log.entries)}",
            next_step="move this node's data away and replace the node: it joins anew",
        )
    # A crash came between the snapshot's flip and its mark in the log: the mark follows now.
    wal.append([GroupWrite(GROUP, Write(0, restart=applied))])
    return RecoveredGroup(log.hard_state, applied, [])


def _term_at(log: RecoveredGroup, index: Index) -> int | None:
    if index == log.compacted.index:
        return log.compacted.term
    at = index - log.compacted.index - 1
    return log.entries[at].term if at < len(log.entries) else None


def _made(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    return path
