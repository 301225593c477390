"""Disks that fail under a real node: errors from system calls, one that is small, a power cut.

What a machine does not allow (no root, no strace, no loop device) is `FaultImpossible`, and the
cause says what is missing. Everything is undone at the end of a `with` block, after a failure too.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pnyx.errors import PnyxError
from pnyx.harness.closing import Closing

SYNC_CALLS: Final = ("fdatasync", "fsync", "io_submit")
"""All that a node waits for until a write is durable; io_submit asks the kernel for one."""
WRITE_CALLS: Final = ("pwrite64", "io_submit")
"""What log and space write with; sockets never do."""
ATTACH_S_MAX: Final = 10.0
COMMAND_S_MAX: Final = 60.0
POLL_S: Final = 0.01
COMMIT_S: Final = 300
"""ext4 commits its journal this often by itself: in a test, only when somebody syncs."""
COPIES_MAX: Final = 20
SUPERBLOCK_AT: Final = 1024
INCOMPATIBLE_AT: Final = SUPERBLOCK_AT + 0x60
NEEDS_RECOVERY: Final = 0x4
"""EXT4_FEATURE_INCOMPAT_RECOVER: the journal has to be replayed."""


class FaultImpossible(PnyxError):
    """This machine does not allow that fault; nothing was changed."""

    code = "PX0410"


# System calls.


@contextlib.contextmanager
def failing_calls(pid: int, error: str, calls: Sequence[str] = SYNC_CALLS) -> Iterator[None]:
    """Make the process's `calls` fail with `error` ("EIO", "ENOSPC") in place of being done.

    Every thread is concerned from the moment the block begins until it ends.

    Raises:
        FaultImpossible: strace is missing or may not attach.
    """
    _need("strace")
    names = ",".join(calls)
    inject = f"inject={names}:error={error}"
    words = ["strace", "-f", "-qq", "-p", f"{pid}", "-e", f"trace={names}", "-e", inject]
    tracer = subprocess.Popen(
        [*words, "-o", os.devnull],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_until_traced(pid, tracer)
        yield
    finally:
        tracer.terminate()
        try:
            tracer.communicate(timeout=ATTACH_S_MAX)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.communicate()


def _wait_until_traced(pid: int, tracer: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + ATTACH_S_MAX
    while not _is_traced(pid, tracer.pid):
        if tracer.poll() is not None:
            assert tracer.stderr is not None, "it was asked for"
            raise FaultImpossible(
                f"the system calls of process {pid} cannot be made to fail",
                cause=f"strace says: {tracer.stderr.read().strip()}",
                next_step="allow tracing (CAP_SYS_PTRACE), or run as root",
            )
        if time.monotonic() > deadline:
            raise FaultImpossible(
                f"the system calls of process {pid} cannot be made to fail",
                cause=f"strace did not attach within {ATTACH_S_MAX:g} s",
            )
        time.sleep(POLL_S)


def _is_traced(pid: int, tracer: int) -> bool:
    """Return whether every thread is; those of a process that ended count as traced."""
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if f"TracerPid:\t{tracer}\n" not in status.read_text():
                return False
    return True


# File systems.


@contextlib.contextmanager
def small_disk(at: Path, mib: int) -> Iterator[None]:
    """Mount a file system of so many MiB at the empty directory `at`.

    Raises:
        FaultImpossible: this user may not mount.
    """
    _need("mount", "umount")
    _run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", f"{at}")
    try:
        yield
    finally:
        _unmount(at)


class LoopDisk(Closing):
    """An ext4 file system in a file, on a loop device: a disk whose power can be cut.

    What a process wrote and did not sync is in the kernel's memory and not on the device. `cut`
    keeps what the device holds at that moment, and nothing else.
    """

    def __init__(self, directory: Path, mib: int = 512) -> None:
        """Make the file in `directory` and mount it at `mount`.

        Raises:
            FaultImpossible: not root, a tool is missing, or the kernel has no loop device or ext4.
        """
        _need("mkfs.ext4", "losetup", "mount", "umount")
        if os.geteuid() != 0:
            raise FaultImpossible(
                "no loop device can be mounted",
                cause="only root may",
                next_step="run the tests as root, or leave this one out",
            )
        self.mount: Final = directory / "mount"
        self._image: Final = directory / "disk.ext4"
        self._device: Path | None = None
        self.mount.mkdir()
        with self._image.open("wb") as image:
            image.truncate(mib * 1024 * 1024)
        # Nothing lazy: a quiet disk must be one that nobody writes to.
        options = ["-E", "lazy_itable_init=0,lazy_journal_init=0"]
        _run("mkfs.ext4", "-q", "-F", *options, f"{self._image}")
        self._attach()

    def sync(self) -> None:
        """Make all that is in the file system durable, whoever wrote it."""
        _run("sync", "-f", f"{self.mount}")

    def cut(self) -> None:
        """Cut the power and switch it on again: the journal is replayed over what was durable.

        No process may have a file open there: nodes are killed first, which takes nothing from
        the kernel's memory.
        """
        kept = self._image.with_suffix(".kept")
        self._copy(kept)
        assert _needs_recovery(kept), "a file system in use has its journal to be replayed"
        _run("umount", f"{self.mount}")
        self._device = None
        kept.replace(self._image)
        self._attach()

    def close(self) -> None:
        """Unmount; the device goes with the mount."""
        if self._device is not None:
            self._device = None
            _unmount(self.mount)

    def _attach(self) -> None:
        device = _run("losetup", "--find", "--show", f"{self._image}").strip()
        try:
            options = f"data=ordered,commit={COMMIT_S}"
            _run("mount", "-t", "ext4", "-o", options, device, f"{self.mount}")
        finally:
            # A device in use is let go with its last user: the mount, or us if there is none.
            _run("losetup", "--detach", device)
        self._device = Path(device)

    def _copy(self, to: Path) -> None:
        """Copy the device at one moment: a copy during which something was written is none."""
        for _ in range(COPIES_MAX):
            before = self._writes()
            _run("cp", "--sparse=always", f"{self._image}", f"{to}")
            if self._writes() == before:
                return
        raise FaultImpossible(
            f"the power of {self.mount} cannot be cut",
            cause=f"it was written to during each of {COPIES_MAX} copies",
            next_step="kill the processes that write there first",
        )

    def _writes(self) -> tuple[int, int]:
        """Return how many writes the device has done, and how many requests are under way."""
        assert self._device is not None, "it is mounted"
        columns = (Path("/sys/block") / self._device.name / "stat").read_text().split()
        return int(columns[4]), int(columns[8])


def _needs_recovery(image: Path) -> bool:
    with image.open("rb") as content:
        content.seek(INCOMPATIBLE_AT)
        return bool(int.from_bytes(content.read(4), "little") & NEEDS_RECOVERY)


def _unmount(at: Path) -> None:
    try:
        _run("umount", f"{at}")
    except FaultImpossible:
        # Somebody still has a file open: it goes with the last one.
        _run("umount", "--lazy", f"{at}")


def _need(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise FaultImpossible(
            f"a fault needs {', '.join(missing)}",
            cause="not on this machine's PATH",
            next_step="install it, or leave this out",
        )


def _run(*words: str) -> str:
    """Run one of the system's programs and return what it printed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False)
    if done.returncode != 0:
        raise FaultImpossible(
            f"{words[0]} did not work",
            cause=(done.stderr or done.stdout).strip() or f"status {done.returncode}",
            next_step="a container often may not do this; root on a machine of its own may",
        )
    return done.stdout
