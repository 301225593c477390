"""A write that the kernel makes durable by itself and announces: no thread waits for it.

A worker thread costs two wake-ups and several hand-overs of the interpreter's lock for each sync,
which is more than the sync's own work. Linux' asynchronous I/O (io_submit, IOCB_CMD_PWRITE with
RWF_DSYNC) takes the request at once and adds to an event descriptor when the bytes are durable, so
the loop learns of it like of a message. A disk that hangs holds up nothing but the announcement.

The bytes go past the page cache (O_DIRECT): to copy them there, to mark the pages and to look for
them again at the sync is a third of what a small batch costs the machine (decisions/0021).
"""

import ctypes
import os
import platform
import struct
from errno import EINVAL
from mmap import mmap
from typing import Final, NamedTuple

from pnyx.storage.files import Files, OpenFile
from pnyx.storage.segment import BLOCK_BYTES

_PWRITE: Final = 1
_DSYNC: Final = 2
_RESFD: Final = 1
# struct iocb: data, key, rw_flags, opcode, reqprio, fildes, buf, nbytes, offset, reserved, flags,
# resfd (linux/aio_abi.h).
_IOCB: Final = struct.Struct("<QIIHhIQQqQII")
# struct io_event: data, obj, res, res2.
_EVENT: Final = struct.Struct("<QQqq")
_EVENT_COUNT_BYTES: Final = 8
_PROBE_NAME: Final = "probe.tmp"

assert (_IOCB.size, _EVENT.size) == (64, 32), "the kernel's sizes"


class _Calls(NamedTuple):
    """Numbers of the system calls; the C library has no functions for them."""

    setup: int
    destroy: int
    getevents: int
    submit: int


_CALLS: Final = {"x86_64": _Calls(206, 207, 208, 209), "aarch64": _Calls(0, 1, 4, 2)}


class KernelWrite:
    """One write at a time."""

    def __init__(self, calls: _Calls, context: ctypes.c_ulong, bytes_max: int) -> None:
        """Use `KernelWrite.open`."""
        self._calls = calls
        self._context = context
        self.announcement = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when the write has ended."""
        self._size = 0
        # Pages of our own: the kernel reads them while it writes, wherever Python's bytes go.
        self._pages = mmap(-1, bytes_max)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._pages))
        self._block = ctypes.create_string_buffer(_IOCB.size)
        self._blocks = (ctypes.c_void_p * 1)(ctypes.addressof(self._block))
        self._event = ctypes.create_string_buffer(_EVENT.size)

    @classmethod
    def open(cls, files: Files, bytes_max: int) -> "KernelWrite | None":
        """Return a way to write up to `bytes_max` bytes at a time to these files.

        None where the kernel, the container or the file system has none: a block is written to
        see, for some refuse only then.
        """
        calls = _CALLS.get(platform.machine())
        if calls is None or platform.system() != "Linux":
            return None
        context = ctypes.c_ulong(0)
        if _call(calls.setup, ctypes.c_long(1), ctypes.byref(context)) != 0:
            return None
        kernel = cls(calls, context, bytes_max)
        try:
            kernel._probe(files)
        except OSError:
            kernel.close()
            return None
        return kernel

    def start(self, file: OpenFile, offset: int, content: bytes) -> None:
        """Begin to write whole blocks at a block's offset, to a file with a descriptor.

        Raises:
            OSError: the kernel did not take it.
        """
        size = self._size = len(content)
        self._pages[:size] = content
        block = (0, 0, _DSYNC, _PWRITE, 0, file.descriptor, self._address, size, offset)
        _IOCB.pack_into(self._block, 0, *block, 0, _RESFD, self.announcement)
        if _call(self._calls.submit, self._context, ctypes.c_long(1), self._blocks) != 1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def finish(self) -> None:
        """Take the result of the write that was announced: it is durable.

        Raises:
            OSError: it is not, or not all of it.
        """
        os.read(self.announcement, _EVENT_COUNT_BYTES)
        self._take()

    def close(self) -> None:
        """Give the kernel's resources back; waits for a write under way."""
        _call(self._calls.destroy, self._context)
        os.close(self.announcement)

    def _take(self) -> None:
        one = ctypes.c_long(1)
        count = _call(self._calls.getevents, self._context, one, one, self._event, None)
        assert count == 1, "a write that is waited for ends"
        result: int = _EVENT.unpack_from(self._event)[2]
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        if result != self._size:
            raise OSError(f"the disk took {result} of {self._size} bytes")

    def _probe(self, files: Files) -> None:
        files.create(_PROBE_NAME, BLOCK_BYTES)
        file = files.open(_PROBE_NAME)
        try:
            if file.descriptor is None:
                raise OSError(EINVAL, "no file here is written past the page cache")
            self.start(file, 0, bytes(BLOCK_BYTES))
            self._take()
            os.read(self.announcement, _EVENT_COUNT_BYTES)
        finally:
            file.close()
            files.unlink(_PROBE_NAME)


_call: Final = ctypes.CDLL(None, use_errno=True).syscall
