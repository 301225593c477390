"""What can be done to a path: begin and commit a file, look, rename, remove.

A writer has a permit, a key beside the manifest that dies after 30 minutes of the cluster's
committed clock. Its commit is one transaction that is done only while the permit is there. So what
no manifest names an hour after it was first seen unnamed will never be named (orphans.py).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_bytes
from typing import Final, TypeVar

from msgspec.structs import replace

from pnyx.client import commands
from pnyx.client.collected import Transaction
from pnyx.client.command import Command
from pnyx.client.errors import WatchError
from pnyx.client.files.chunks import Chunks
from pnyx.client.files.directory import Directories
from pnyx.client.files.errors import (
    ChunkDamaged,
    CommitTooLate,
    FormatNewer,
    MoveUnfinished,
    Overtaken,
    QuotaExceeded,
)
from pnyx.client.files.formats import (
    ID_BYTES,
    Kind,
    Manifest,
    chunk_count_of,
    decode_manifest,
    encode_manifest,
)
from pnyx.client.files.names import (
    ROOT,
    closed_key,
    entry_key,
    parent_of,
    permit_key,
    renames_key,
)
from pnyx.client.files.quota import Quotas
from pnyx.client.runner import Runner
from pnyx.errors import PnyxError

WRITE_MS_MAX: Final = 1_800_000
"""How long a writer may take from its first byte to its commit."""
REFUSALS: Final = (
    ChunkDamaged,
    CommitTooLate,
    FileExistsError,
    FormatNewer,
    IsADirectoryError,
    NotADirectoryError,
    Overtaken,
    QuotaExceeded,
)
"""What a commit raises by its own rules. Any other error may come after it was done."""
_T = TypeVar("_T")


class _Closed(Exception):
    """The directory was removed meanwhile."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Who may commit `file_id` to `path`, for a while."""

    path: str
    file_id: bytes
    begun_ms: int
    """The committed clock then."""


class Store:
    """The files of one cluster. Paths are clean (names.py)."""

    def __init__(self, runner: Runner) -> None:
        self.directories = Directories(runner)
        self.chunks = Chunks(runner)
        self.quotas = Quotas(runner)
        self._runner = runner

    def clock_ms(self) -> int:
        """Return the cluster's committed clock, ms since 1970."""
        clock: int = self._runner.one(
            Command(("PNYX.CLOCK", "{pnyx:fs}"), "{pnyx:fs}", writes=False)
        )
        return clock

    def file(self, path: str) -> Manifest:
        """Return what is known of a file.

        Raises:
            FileNotFoundError, IsADirectoryError: there is none.
        """
        manifest = self.directories.entry(path)
        if manifest is None:
            raise FileNotFoundError(path)
        if manifest.kind is Kind.DIRECTORY:
            raise IsADirectoryError(path)
        return manifest

    # Writing.

    def begin(self, path: str) -> Permit:
        """Prepare to write a file; directories above it are made.

        Raises:
            IsADirectoryError: it is the root; any other directory is noticed by `commit`.
            NotADirectoryError: a file lies where a directory above it belongs.
        """
        if path == ROOT:
            raise IsADirectoryError(path)
        permit = Permit(path, token_bytes(ID_BYTES), self.clock_ms())
        directory = parent_of(path)
        key = permit_key(directory, permit.file_id)
        # First: it must be dead before the mark of a directory that was there then (directory.py).
        self._runner.one(commands.set(key, b"", px=WRITE_MS_MAX))
        self.directories.ensure(directory, permit.begun_ms)
        return permit

    def commit(
        self,
        permit: Permit,
        size: int,
        *,
        exclusive: bool = False,
        appended_to: bytes | None = None,
        moved_from: tuple[str, bytes] | None = None,
    ) -> None:
        """Make the file of `permit`, all of whose chunks are written, the one at its path.

        What is refused is given up; of what may have been done nothing is deleted.

        Args:
            permit: of the writer.
            size: bytes.
            exclusive: nothing may lie there.
            appended_to: the id of the file that must lie there still; empty if none did.
            moved_from: path and id of the file that this is a copy of and that will be deleted.

        Raises:
            CommitTooLate: the permit has died. QuotaExceeded: it is too much.
            FileExistsError: a file lies there, and `exclusive` is true.
            IsADirectoryError: a directory lies there.
            Overtaken: another file lies there than was appended to.
            Timeout: it may have been done; its `outcome` tells.
        """
        now_ms = self.clock_ms()
        manifest = Manifest(Kind.FILE, now_ms, now_ms, permit.file_id, size, moved_from)
        is_reserved = False
        try:
            self.quotas.reserve(size, permit.path, self.directories.entry(permit.path))
            is_reserved = True
            before = self._until_settled(
                permit.path,
                lambda: self._replace(
                    permit, manifest, exclusive=exclusive, appended_to=appended_to
                ),
            )
        except Exception as error:
            if _is_refusal(error):
                if is_reserved:
                    self.quotas.release(size)
                self.give_up(permit, size)
            raise
        if before is not None:
            self._gone(before)

    def give_up(self, permit: Permit, size: int) -> None:
        """Forget a file that will not be committed; `size` bytes of it were written.

        What cannot be deleted now is left as an orphan (orphans.py).
        """
        with suppress(PnyxError):
            self._runner.one(commands.delete(permit_key(parent_of(permit.path), permit.file_id)))
            self.chunks.delete(permit.file_id, range(chunk_count_of(size)))

    def finish_move(self, path: str, moved_from: tuple[str, bytes]) -> None:
        """Remove the file that the one at `path` is a copy of, and forget that it is one.

        Either name may be somebody else's meanwhile, or nobody's: then nothing is left to do there.
        That it is a copy, if that cannot be forgotten now, is left for fsck: the move was done.

        Raises:
            MoveUnfinished: the file at `source` may be there still.
        """
        source, file_id = moved_from
        try:
            with suppress(FileNotFoundError, IsADirectoryError):
                self.remove(source, file_id=file_id)
        except PnyxError as error:
            raise MoveUnfinished(
                f"{path} is written, and {source} may be there still",
                cause=str(error),
                next_step="`pnyx fs fsck --repair` removes it, and so does moving it once more",
            ) from error
        with suppress(PnyxError):
            self.settle_move(path, moved_from)

    def settle_move(self, path: str, moved_from: tuple[str, bytes]) -> None:
        """Forget that the file at `path` is a copy, if it is this one and lies there still."""

        def rewrite(plan: Transaction) -> None:
            manifest = self._file_in(plan, path)
            plan.multi()
            if manifest.moved_from == moved_from:
                plan.set(entry_key(path), encode_manifest(replace(manifest, moved_from=None)))

        with suppress(FileNotFoundError, IsADirectoryError):
            self._transact(rewrite, entry_key(path))

    # Changing what is there.

    def rename(self, source: str, target: str) -> None:
        """Rename a file within its directory, at one moment; what lies at `target` is replaced.

        Raises:
            FileNotFoundError, IsADirectoryError: `source` is no file, or `target` a directory.
        """
        assert parent_of(source) == parent_of(target), "they share a slot"
        if source == target:
            self.file(source)
            return
        before = self._until_settled(target, lambda: self._rename(source, target))
        if before is not None:
            self._gone(before)

    def remove(self, path: str, *, file_id: bytes | None = None) -> None:
        """Remove a file, or only the one with this id.

        Raises:
            FileNotFoundError: there is none. IsADirectoryError: it is a directory.
        """

        def take(plan: Transaction) -> Manifest:
            manifest = self._file_in(plan, path)
            if file_id is not None and manifest.id != file_id:
                raise FileNotFoundError(path)
            plan.multi()
            plan.delete(entry_key(path))
            return manifest

        self._gone(self._transact(take, entry_key(path)))

    # Pieces.

    def _replace(
        self, permit: Permit, manifest: Manifest, *, exclusive: bool, appended_to: bytes | None
    ) -> Manifest | None:
        directory = parent_of(permit.path)
        key, may = entry_key(permit.path), permit_key(directory, permit.file_id)

        def put(plan: Transaction) -> Manifest | None:
            value = plan.get(key)
            there = None if value is None else decode_manifest(value, permit.path)
            if plan.get(may) is None:
                if there is not None and there.id == permit.file_id:
                    # Done before, and its answer was lost.
                    return None
                raise CommitTooLate(
                    f"{permit.path} was not written: that took more than "
                    f"{WRITE_MS_MAX // 60_000} minutes; what was there before still is",
                    next_step="write it in several files, or faster",
                )
            if plan.exists(closed_key(directory)):
                raise _Closed
            if there is not None and there.kind is Kind.DIRECTORY:
                raise IsADirectoryError(permit.path)
            if there is not None and exclusive:
                raise FileExistsError(permit.path)
            if appended_to not in {None, b"" if there is None else there.id}:
                raise Overtaken(
                    f"nothing was appended to {permit.path}, which was replaced or removed since "
                    "it was opened",
                    next_step="open it and append again; let one program at a time append",
                )
            created_ms = manifest.created_ms if there is None else there.created_ms
            plan.multi()
            plan.set(key, encode_manifest(replace(manifest, created_ms=created_ms)))
            plan.delete(may)
            return there

        return self._transact(put, key, may, closed_key(directory))

    def _rename(self, source: str, target: str) -> Manifest | None:
        directory = parent_of(source)

        def swap(plan: Transaction) -> Manifest | None:
            manifest = self._file_in(plan, source)
            value = plan.get(entry_key(target))
            there = None if value is None else decode_manifest(value, target)
            if there is not None and there.kind is Kind.DIRECTORY:
                raise IsADirectoryError(target)
            if plan.exists(closed_key(directory)):
                raise _Closed
            plan.multi()
            plan.set(entry_key(target), encode_manifest(manifest))
            plan.delete(entry_key(source))
            plan.incr(renames_key(directory))
            return there

        return self._transact(swap, entry_key(source), entry_key(target), closed_key(directory))

    def _file_in(self, plan: Transaction, path: str) -> Manifest:
        value = plan.get(entry_key(path))
        if value is None:
            raise FileNotFoundError(path)
        manifest = decode_manifest(value, path)
        if manifest.kind is Kind.DIRECTORY:
            raise IsADirectoryError(path)
        return manifest

    def _transact(self, wanted: Callable[[Transaction], _T], *keys: bytes) -> _T:
        """Return what `wanted` returned in the attempt whose commands were done."""
        while True:
            plan = Transaction(self._runner)
            plan.watch(*keys)
            result = wanted(plan)
            try:
                plan.execute()
            except WatchError:
                continue
            return result

    def _until_settled(self, path: str, attempt: Callable[[], _T]) -> _T:
        while True:
            try:
                return attempt()
            except _Closed:
                self.directories.ensure(parent_of(path), self.clock_ms())

    def _gone(self, manifest: Manifest) -> None:
        """Let go what a file took that no manifest names any more.

        The operation was done, whatever becomes of this: chunks that are not told to die now are
        orphans (orphans.py).
        """
        self.quotas.release(manifest.size)
        with suppress(PnyxError):
            self.chunks.let_go(manifest.id, manifest.chunk_count)


def _is_refusal(error: Exception) -> bool:
    """Is it sure that a commit which raised this was not done, and never will be?"""
    return isinstance(error, REFUSALS) or getattr(error, "outcome", "unknown") == "not_applied"
