"""How much all files may take, and how much they do: kept beside them, agreed like any value."""

from contextlib import suppress
from typing import Final

import msgspec

from pnyx.client import commands
from pnyx.client.files.errors import QuotaExceeded
from pnyx.client.files.formats import Manifest
from pnyx.client.runner import Runner
from pnyx.errors import PnyxError

TIB: Final = 1 << 40
_SETTINGS: Final = b"{pnyx:fs}quota"
_BYTES: Final = b"{pnyx:fs}bytes"
_FILES: Final = b"{pnyx:fs}files"


class Quota(msgspec.Struct, frozen=True, array_like=True):
    """What is allowed."""

    file_bytes_max: int = TIB
    """Of one file."""
    bytes_max: int = 1024 * TIB
    """Of all files together, contents only."""
    files_max: int = 100_000_000


class Usage(msgspec.Struct, frozen=True):
    """What is taken: never less than what the manifests say but for a moment."""

    bytes: int
    files: int


class Quotas:
    """The quota and usage of one cluster's files."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def get(self) -> Quota:
        """Return what is allowed; the defaults if nobody has said otherwise."""
        value = self._runner.one(commands.get(_SETTINGS))
        return Quota() if value is None else msgspec.msgpack.decode(value, type=Quota)

    def set(self, quota: Quota) -> None:
        """Allow so much from now on; what is there stays."""
        self._runner.one(commands.set(_SETTINGS, msgspec.msgpack.encode(quota)))

    def usage(self) -> Usage:
        """Return what is taken."""
        calls = self._runner.run([commands.get(_BYTES), commands.get(_FILES)])
        return Usage(*(int(call.outcome() or 0) for call in calls))

    def correct(self, usage: Usage) -> None:
        """Say what the manifests add up to."""
        self._runner.one(commands.mset({_BYTES: usage.bytes, _FILES: usage.files}))

    def reserve(self, size: int, path: str, replaced: Manifest | None) -> None:
        """Take what a file takes before it is committed; `replaced` is what lies there until then.

        Raises:
            QuotaExceeded: it is too much; nothing is taken.
        """
        quota = self.get()
        self.check_size(size, quota, path)
        taken = self._add(size, 1)
        grows_bytes, grows_files = size, 1
        if replaced is not None:
            grows_bytes, grows_files = size - replaced.size, 0
        would = Usage(taken.bytes - size + grows_bytes, taken.files - 1 + grows_files)
        if (grows_bytes > 0 and would.bytes > quota.bytes_max) or (
            grows_files > 0 and would.files > quota.files_max
        ):
            self.release(size)
            raise QuotaExceeded(
                f"{path} was not written: files may take {quota.bytes_max} bytes in "
                f"{quota.files_max} files, and with it would take {would.bytes} in {would.files}",
                next_step="remove files, or allow more with `pnyx fs quota`; "
                "`pnyx fs fsck --repair` counts anew what is taken",
            )

    def release(self, size: int) -> None:
        """Give back what a file took.

        It comes after a file was committed, removed or refused, and says nothing of that: what
        cannot be given back now stays counted until `pnyx fs fsck --repair`.
        """
        with suppress(PnyxError):
            self._add(-size, -1)

    @staticmethod
    def check_size(size: int, quota: Quota, path: str) -> None:
        """Refuse a file that is too large, as soon as that is known."""
        if size > quota.file_bytes_max:
            raise QuotaExceeded(
                f"{path} was not written: it is larger than {quota.file_bytes_max} bytes",
                next_step="`pnyx fs quota --file-bytes` allows larger files",
            )

    def _add(self, size: int, files: int) -> Usage:
        calls = self._runner.run([commands.incr(_BYTES, size), commands.incr(_FILES, files)])
        return Usage(*(call.outcome() for call in calls))
