"""A node's data directory, opened in the order that safety needs.

Identity and lock first, so that nothing of a stranger's is touched; then the space, whose applied
indexes tell recovery what the log may lack; then the log; then whether the two agree, group by
group. A group is on this disk if and only if it has a meta row, written and durable before the
group said its first word; only the controller, which every node is formed with, needs none.
"""

import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from pnyx.consensus.formation import Formed
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import RecoveredLog
from pnyx.errors import NoRoom
from pnyx.ids import GroupId, NodeId
from pnyx.machine.controller import CONTROLLER
from pnyx.machine.group import Group, groups_in
from pnyx.machine.moving import SHARDS
from pnyx.machine.rows import group_end, group_prefix
from pnyx.machine.shards import SHARDS_DEFAULT
from pnyx.machine.space import Space
from pnyx.node.settings import Settings
from pnyx.replica.founding import Missing
from pnyx.replica.roster import CONTROL
from pnyx.storage.agreement import agreed, check_founded
from pnyx.storage.directory import DiskFiles
from pnyx.storage.identity import SPACE_NAME, WAL_NAME, DataDirectory
from pnyx.storage.rocks import RocksSpace
from pnyx.storage.wal import Wal, WalSettings


@dataclass(slots=True)
class Stored:
    """One group's state and log, as a replica starts from them."""

    group: Group
    log: RecoveredLog


@dataclass(slots=True)
class Disk:
    """What a node starts from, all of it durable."""

    directory: DataDirectory
    space: RocksSpace
    groups: dict[GroupId, Stored]
    """Ascending; the controller, which is always there, first."""
    wal: Wal
    formed: Formed | None
    destroyed: frozenset[GroupId]
    """Groups that were here and never come back."""

    @property
    def node(self) -> NodeId:
        """Whose directory it is."""
        return self.directory.identity.node

    def membership(self, group: GroupId, formed: Formed) -> Membership:
        """Return the membership at the log's start: the machine's, or the one of formation."""
        state = self.groups[group].group
        if state.membership is None:
            assert group == CONTROL, "whoever founds another group writes down its members"
            state.membership = formed.membership()
        return state.membership

    def found(self, missing: Missing) -> None:
        """Make room for a group; its replica may start after the next flush of the space."""
        group = missing.group
        state = Group(self.space, group, SHARDS, shards=missing.shards)
        state.found(missing.membership, missing.engine)
        self.groups[group] = Stored(state, RecoveredLog())

    def destroy(self, group: GroupId) -> None:
        """Delete a group's rows, once the end of its log is durable."""
        self.groups.pop(group, None)
        _delete_rows(self.space, group)

    def bytes_held(self) -> int:
        """Return how many bytes the directory holds."""
        return sum(map(_size, self.directory.path.glob("*/*")))

    def close(self) -> None:
        """Let the directory go; the space is flushed, so that the next start replays nothing.

        Without room for that it is not: the log has it all.
        """
        with contextlib.suppress(NoRoom):
            self.space.flush()
        self.space.close()
        self.wal.close()
        self.directory.close()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        # RocksDB's own threads drop files, also between the listing and this.
        return 0


def open_disk(settings: Settings) -> Disk:
    """Open, lock, recover and check the data directory of `settings`. Blocks.

    Raises:
        WrongDirectory: it belongs to another node, cluster, engine or process, or is of another
            format; nothing was written.
        LostDisk: durable bytes are gone; nothing was overwritten.
        NoRoom: its disk is full; it may be opened again.
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
    with contextlib.ExitStack() as opened:
        opened.callback(directory.close)
        space = RocksSpace(directory.path / SPACE_NAME)
        opened.callback(space.close)
        disk = _open_in(directory, space, sizes)
        opened.pop_all()
    return disk


def _open_in(directory: DataDirectory, space: RocksSpace, sizes: WalSettings) -> Disk:
    states = {CONTROL: Group(space, CONTROL, CONTROLLER)}
    for group in groups_in(space):
        if group != CONTROL:
            states[group] = Group(space, group, SHARDS, shards=SHARDS_DEFAULT)
    wal, recovered = Wal.open(
        DiskFiles(_made(directory.path / WAL_NAME)),
        directory.identity,
        sizes,
        {group: state.applied.index for group, state in states.items()},
        lambda: secrets.randbits(64),
    )
    check_founded(recovered, states)
    directory.record_start()
    for group in recovered.destroyed:
        # A crash came between the end of the log and that of the rows.
        states.pop(group, None)
        _delete_rows(space, group)
    stored = {
        group: Stored(state, agreed(recovered, state, wal, group))
        for group, state in states.items()
    }
    destroyed = frozenset(recovered.destroyed)
    return Disk(directory, space, stored, wal, recovered.formed, destroyed)


def _delete_rows(space: Space, group: GroupId) -> None:
    space.write({}, [(group_prefix(group, 0), group_end(group))])


def _made(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    return path
