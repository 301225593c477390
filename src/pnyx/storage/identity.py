"""Whose data directory this is, written once, and the lock that keeps a second process out.

`identity.json` holds the cluster, the label and the NodeId, 63 random bits drawn when the directory
is made and never re-used: a wiped disk comes back as somebody else, so no vote is ever forgotten.
`started` tells a log that was never opened from one that is gone.
"""

import fcntl
import os
import secrets
from errno import ENOSPC
from pathlib import Path
from typing import Final

import msgspec

from pnyx.errors import DiskFailed, LostDisk, NoRoom, WrongDirectory
from pnyx.ids import NodeId
from pnyx.storage.owner import FORMAT, Identity

IDENTITY_NAME: Final = "identity.json"
LOCK_NAME: Final = "lock"
WAL_NAME: Final = "wal"
SPACE_NAME: Final = "space"
_TEMPORARY_NAME: Final = "identity.json.tmp"


class DataDirectory:
    """A node's directory, locked for this process until `close`."""

    def __init__(self, path: Path, identity: Identity, lock: int) -> None:
        self.path = path
        self.identity = identity
        self._lock = lock

    @classmethod
    def open(cls, path: Path, cluster: str, label: str, consensus: str = "raft") -> "DataDirectory":
        """Lock `path` and read its identity, writing one if the directory is new or empty.

        Raises:
            WrongDirectory: another process, cluster, node or engine owns it; nothing was written.
            LostDisk: the identity cannot be read; nothing was overwritten.
            NoRoom: it has none for the identity; it may be opened again.
            DiskFailed: the directory cannot be written.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_strangers(path)
            lock = _lock(path)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            return cls(path, _read_or_write(path, cluster, label, consensus), lock)
        except BaseException:
            os.close(lock)
            raise

    def record_start(self) -> None:
        """Durably note that the write-ahead log exists from now on.

        To be called after the first `Wal.open`, before this node says anything: a log that is gone
        later would otherwise pass for a new node's, and its votes be forgotten.
        """
        if not self.identity.started:
            identity = msgspec.structs.replace(self.identity, started=True)
            try:
                _write(self.path, identity)
            except OSError as error:
                raise _failed(self.path, error) from error
            self.identity = identity

    def close(self) -> None:
        """Let another process in."""
        os.close(self._lock)


def read_identity(path: Path) -> Identity:
    """Return the identity in `path` without locking or changing anything.

    Raises:
        WrongDirectory: there is none.
        LostDisk: it cannot be read.
    """
    try:
        content = (path / IDENTITY_NAME).read_bytes()
    except FileNotFoundError as error:
        raise WrongDirectory(
            f"{path} is not a pnyx data directory",
            cause=f"it has no {IDENTITY_NAME}",
            next_step="name the `data` directory of a node's settings",
        ) from error
    except OSError as error:
        raise _failed(path, error) from error
    try:
        identity = msgspec.json.decode(content, type=Identity)
    except msgspec.MsgspecError as error:
        raise LostDisk(
            f"{path / IDENTITY_NAME} cannot be read",
            cause=str(error),
            next_step="move the directory away and start the node with an empty one: it joins anew",
        ) from error
    if identity.format != FORMAT:
        raise WrongDirectory(
            f"{path} has format {identity.format}",
            cause=f"this pnyx reads format {FORMAT}",
            next_step="start the pnyx version that wrote it",
        )
    return identity


def _read_or_write(path: Path, cluster: str, label: str, consensus: str) -> Identity:
    if not (path / IDENTITY_NAME).exists():
        # Zero would read as "no node" in a vote record.
        identity = Identity(cluster, label, NodeId(1 + secrets.randbelow(2**63 - 1)), consensus)
        try:
            _write(path, identity)
        except OSError as error:
            raise _failed(path, error) from error
        return identity
    identity = read_identity(path)
    if (identity.cluster, identity.label) != (cluster, label):
        raise WrongDirectory(
            f"{path} belongs to node {identity.label} of cluster {identity.cluster}",
            cause=f"this is node {label} of cluster {cluster}",
            next_step="point `data` at this node's own directory, or at an empty one",
        )
    if identity.consensus != consensus:
        raise WrongDirectory(
            f"the log in {path} was written by {identity.consensus}; nothing was started",
            cause=f"consensus = {consensus} is set; an engine cannot read another one's promises",
            next_step=f"set consensus = {identity.consensus}; a cluster keeps the engine that it "
            "was formed with",
        )
    return identity


def _refuse_strangers(path: Path) -> None:
    ours = {LOCK_NAME, _TEMPORARY_NAME}
    names = {entry.name for entry in path.iterdir()}
    if IDENTITY_NAME not in names and names - ours - {"lost+found"}:
        raise WrongDirectory(
            f"{path} is not empty and not a pnyx data directory",
            cause=f"it holds {', '.join(sorted(names - ours)[:3])} and no {IDENTITY_NAME}",
            next_step="point `data` at an empty directory; nothing was overwritten",
        )


def _lock(path: Path) -> int:
    lock = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock, 20).decode(errors="replace").strip()
        os.close(lock)
        raise WrongDirectory(
            f"{path} is in use",
            cause=f"process {holder or 'unknown'} holds its lock",
            next_step="stop that process, or give this node its own `data` directory",
        ) from error
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        os.close(lock)
        raise
    return lock


def _write(path: Path, identity: Identity) -> None:
    """Replace the identity: a crash leaves the old one or the new one, whole."""
    temporary = path / _TEMPORARY_NAME
    content = msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(path / IDENTITY_NAME)
    for directory in (path, path.parent):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _failed(path: Path, error: OSError) -> DiskFailed:
    kind = NoRoom if error.errno == ENOSPC else DiskFailed
    return kind(
        f"the data directory {path} cannot be used",
        cause=str(error),
        next_step="check the directory's disk, permissions and free space",
    )
