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
from pnyx.ids import GroupId, NodeId
from pnyx.machine.group import Group
from pnyx.node.settings import Settings
from pnyx.storage.agreement import agreed
from pnyx.storage.files import DiskFiles
from pnyx.storage.identity import SPACE_NAME, WAL_NAME, DataDirectory
from pnyx.storage.recovery import RecoveredGroup
from pnyx.storage.rocks import RocksSpace
from pnyx.storage.wal import Wal, WalSettings

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
            self.group.membership = Membership(voters, names=formed.nodes)
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
        WrongDirectory: it belongs to another node, cluster, engine or process; nothing was written.
        LostDisk: durable bytes are gone; nothing was overwritten.
        DiskFailed: it cannot be read or written.
    """
    sizes = WalSettings(
        segment_bytes=settings.storage.segment_bytes,
        reserve_bytes=settings.storage.low_space_bytes,
    )
    return open_data(settings.data, settings.cluster_id, settings.name, sizes, settings.consensus)


def open_data(path: Path, cluster: str, label: str, sizes: WalSettings, consensus: str) -> Disk:
    """Do so for the directory `path` of the node `label`."""
    directory = DataDirectory.open(path, cluster, label, consensus)
    try:
        return _open_in(directory, sizes)
    except BaseException:
        directory.close()
        raise


def _open_in(directory: DataDirectory, sizes: WalSettings) -> Disk:
    space = RocksSpace(directory.path / SPACE_NAME)
    group = Group(space, GROUP)
    wal, recovered = Wal.open(
        DiskFiles(_made(directory.path / WAL_NAME)),
        directory.identity,
        sizes,
        {GROUP: group.applied.index},
        lambda: secrets.randbits(64),
    )
    directory.record_start()
    log = agreed(recovered, group, wal, GROUP)
    return Disk(directory, space, group, wal, recovered.formed, log)


def _made(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    return path
