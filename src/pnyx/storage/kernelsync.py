"""A sync that the kernel carries out by itself and announces: no thread waits for it.

A worker thread costs two wake-ups and several hand-overs of the interpreter's lock for each sync,
which is more than the sync's own work. Linux' asynchronous I/O (io_submit, IOCB_CMD_FDSYNC) takes
the request at once and adds to an event descriptor when it is done, so the loop learns of it like
of a message. A disk that hangs holds up nothing but the announcement.
"""

import ctypes
import os
import platform
import struct
from typing import Final, NamedTuple

_FDSYNC: Final = 3
_RESFD: Final = 1
# struct iocb: data, key, rw_flags, opcode, reqprio, fildes, buf, nbytes, offset, reserved, flags,
# resfd (linux/aio_abi.h).
_IOCB: Final = struct.Struct("<QIIHhIQQqQII")
# struct io_event: data, obj, res, res2.
_EVENT: Final = struct.Struct("<QQqq")
_EVENT_COUNT_BYTES: Final = 8

assert (_IOCB.size, _EVENT.size) == (64, 32), "the kernel's sizes"


class _Calls(NamedTuple):
    """Numbers of the system calls; the C library has no functions for them."""

    setup: int
    destroy: int
    getevents: int
    submit: int


_CALLS: Final = {"x86_64": _Calls(206, 207, 208, 209), "aarch64": _Calls(0, 1, 4, 2)}


class KernelSync:
    """One sync at a time, of any file."""

    def __init__(self, calls: _Calls, context: ctypes.c_ulong) -> None:
        """Use `KernelSync.open`."""
        self._calls = calls
        self._context = context
        self.announcement = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when the sync has ended."""
        self._block = ctypes.create_string_buffer(_IOCB.size)
        self._blocks = (ctypes.c_void_p * 1)(ctypes.addressof(self._block))
        self._event = ctypes.create_string_buffer(_EVENT.size)

    @classmethod
    def open(cls) -> "KernelSync | None":
        """Return a way to sync, or None where this kernel or container has none."""
        calls = _CALLS.get(platform.machine())
        if calls is None or platform.system() != "Linux":
            return None
        context = ctypes.c_ulong(0)
        if _call(calls.setup, ctypes.c_long(1), ctypes.byref(context)) != 0:
            return None
        return cls(calls, context)

    def start(self, descriptor: int) -> None:
        """Begin a sync of the file's data.

        Raises:
            OSError: the kernel did not take it.
        """
        block = (0, 0, 0, _FDSYNC, 0, descriptor, 0, 0, 0, 0, _RESFD, self.announcement)
        _IOCB.pack_into(self._block, 0, *block)
        if _call(self._calls.submit, self._context, ctypes.c_long(1), self._blocks) != 1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def finish(self) -> None:
        """Take the result of the sync that was announced.

        Raises:
            OSError: the sync failed.
        """
        os.read(self.announcement, _EVENT_COUNT_BYTES)
        one = ctypes.c_long(1)
        count = _call(self._calls.getevents, self._context, one, one, self._event, None)
        assert count == 1, "an announced sync has ended"
        result: int = _EVENT.unpack_from(self._event)[2]
        if result < 0:
            raise OSError(-result, os.strerror(-result))

    def close(self) -> None:
        """Give the kernel's resources back; waits for a sync under way."""
        _call(self._calls.destroy, self._context)
        os.close(self.announcement)


_call: Final = ctypes.CDLL(None, use_errno=True).syscall
