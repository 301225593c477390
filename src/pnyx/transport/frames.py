"""The bytes of a frame: a fixed header and a body. Bytes in, bytes out; no sockets here.

One frame::

    0       2         3          4        8            12             16
    +-------+---------+----------+--------+------------+--------------+------~
    | magic | version | reserved | length | body crc   | header crc   | body
    +-------+---------+----------+--------+------------+--------------+------~

``length`` is that of the body. ``body crc`` is the crc32c of the body, ``header crc`` that of the
twelve bytes before it, so a garbled length is found before anybody waits for bytes that never
come. ``reserved`` is 0. Integers are little-endian.

Anything wrong is a `BadFrame`: TCP delivered other bytes than a peer of ours wrote, and nothing
after them on that connection can be trusted.
"""

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

from google_crc32c import extend, value as crc32c

MAGIC: Final = b"Px"
VERSION: Final = 1
HANDSHAKE_BYTES_MAX: Final = 4 * 1024
"""Longest body before the peer has said who it is."""
FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
"""Longest body after that. The largest honest one answers a forwarded read of many values."""

Parts: TypeAlias = tuple[bytes, ...]
"""What adds up to a frame."""

SCRAP_BYTES_MAX: Final = 4 * 1024
"""Pieces of a body as short as this are put together as they come: each apart would take several
times its size."""

_FRONT: Final = struct.Struct("<2sBBII")
_HEADER: Final = struct.Struct("<2sBBIII")
HEADER_BYTES: Final = _HEADER.size

assert (_FRONT.size, HEADER_BYTES) == (12, 16), "the diagram above promises 12 and 16"


class BadFrame(Exception):
    """These bytes are no frame of ours. The connection is closed; nothing of it was decoded."""


def frame(body: bytes) -> bytes:
    """Return `body` with its header in front, ready to be written to a link."""
    size = len(body)
    assert 0 < size <= FRAME_BYTES_MAX, "the sender splits or refuses before framing"
    front = _FRONT.pack(MAGIC, VERSION, 0, size, crc32c(body))
    return b"".join((front, crc32c(front).to_bytes(4, "little"), body))


def frame_in_parts(first: bytes, rest: bytes) -> Parts:
    """Return the frame of a body that `first` and `rest` add up to, without copying `rest`."""
    size = len(first) + len(rest)
    assert 0 < size <= FRAME_BYTES_MAX, "the sender splits or refuses before framing"
    front = _FRONT.pack(MAGIC, VERSION, 0, size, extend(crc32c(first), rest))
    return front, crc32c(front).to_bytes(4, "little"), first, rest


class FrameReader:
    """Cuts the bytes of one connection back into bodies."""

    __slots__ = ("_crc", "_held", "_length", "bytes_max", "held_bytes")

    def __init__(self, bytes_max: int = HANDSHAKE_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        """Longest body accepted; raised once the handshake is done."""
        self.held_bytes = 0
        """Bytes of a header or body that is not whole yet."""
        self._held: list[bytes | bytearray | memoryview] = []
        """These bytes, put together once they are whole."""
        self._length = -1
        """The body's length once its header was checked, else -1."""
        self._crc = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the bodies that `chunk` completes.

        `bytes_max` is looked at anew before each, so the handshake's frame may raise it for those
        behind it. The caller exhausts the iterator before it feeds again.

        Raises:
            BadFrame: close the connection; this reader is of no more use.
        """
        rest = b""
        if self._held:
            lacks = (HEADER_BYTES if self._length < 0 else self._length) - self.held_bytes
            self._hold(memoryview(chunk)[:lacks])
            if len(chunk) < lacks:
                return
            chunk, rest = b"".join(self._held), chunk[lacks:]
            self._held, self.held_bytes = [], 0
        start, end = 0, len(chunk)
        while True:
            if self._length < 0:
                if end - start < HEADER_BYTES:
                    break
                self._length, self._crc = _checked(chunk, start, self.bytes_max)
                start += HEADER_BYTES
            stop = start + self._length
            if stop > end:
                break
            body = chunk[start:stop]
            if crc32c(body) != self._crc:
                raise BadFrame(f"a body of {self._length} bytes fails its checksum")
            start, self._length = stop, -1
            yield body
        if start < end:
            self._hold(memoryview(chunk)[start:])
        if rest:
            yield from self.feed(rest)

    def _hold(self, piece: memoryview) -> None:
        self.held_bytes += len(piece)
        last = self._held[-1] if self._held else None
        if len(piece) > SCRAP_BYTES_MAX:
            self._held.append(piece)
        elif isinstance(last, bytearray):
            last += piece
        else:
            self._held.append(bytearray(piece))


def _checked(chunk: bytes, start: int, bytes_max: int) -> tuple[int, int]:
    """Return length and checksum of the body that the header at `start` announces."""
    magic, version, reserved, length, body_crc, header_crc = _HEADER.unpack_from(chunk, start)
    if magic != MAGIC:
        raise BadFrame(f"starts with {magic.hex()} instead of {MAGIC.hex()}")
    if crc32c(chunk[start : start + _FRONT.size]) != header_crc:
        raise BadFrame("a header fails its checksum")
    # Only now: a damaged version byte is damage, not a newer peer.
    if version != VERSION or reserved:
        raise BadFrame(f"has version {version}.{reserved}, this node speaks {VERSION}.0")
    if not 0 < length <= bytes_max:
        raise BadFrame(f"announces {length} bytes, the limit is {bytes_max} here")
    return length, body_crc
