"""A manifest and a chunk as bytes: format 1 of both.

    manifest  1 | MessagePack of `Manifest`
    chunk     1 | crc32c of id, number and content (4, big-endian) | content

The checksum covers where a chunk belongs, so one that lies under another's key is noticed.
"""

from enum import IntEnum
from typing import Final

import google_crc32c
import msgspec

from pnyx.client.files.errors import ChunkDamaged, FormatNewer

VERSION: Final = 1
CHUNK_BYTES: Final = 256 * 1024
"""Content of every chunk of a file but the last."""
ID_BYTES: Final = 16
HEADER_BYTES: Final = 5


class Kind(IntEnum):
    """What lies at a path."""

    DIRECTORY = 0
    FILE = 1


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a path. Times are the cluster's committed clock, ms since 1970."""

    kind: Kind
    created_ms: int
    modified_ms: int
    id: bytes = b""
    """Of a file: where its chunks are; no two manifests ever share one."""
    size: int = 0
    """Bytes."""
    moved_from: tuple[str, bytes] | None = None
    """Path and id of the file that this one is a copy of, while that is not deleted yet."""

    @property
    def chunk_count(self) -> int:
        return chunk_count_of(self.size)


_decode: Final = msgspec.msgpack.Decoder(Manifest).decode


def chunk_count_of(size: int) -> int:
    """Return how many chunks so many bytes are."""
    return -(-size // CHUNK_BYTES)


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the value of a manifest's key."""
    return bytes([VERSION]) + msgspec.msgpack.encode(manifest)


def decode_manifest(value: bytes, path: str) -> Manifest:
    """Return the manifest that a value is.

    Raises:
        FormatNewer: of a version that this code does not know.
        ChunkDamaged: it is no manifest.
    """
    _check_version(value, path)
    try:
        return _decode(value[1:])
    except msgspec.MsgspecError as error:
        raise ChunkDamaged(f"the manifest of {path} cannot be read", cause=str(error)) from error


def encode_chunk(file_id: bytes, number: int, content: bytes | memoryview) -> bytes:
    """Return the value of a chunk's key."""
    checksum = _checksum(file_id, number, content)
    return b"".join((bytes([VERSION]), checksum.to_bytes(4, "big"), content))


def decode_chunk(value: bytes, file_id: bytes, number: int, path: str) -> memoryview:
    """Return the content of a chunk.

    Raises:
        FormatNewer: of a version that this code does not know.
        ChunkDamaged: its checksum is wrong.
    """
    _check_version(value, path)
    content = memoryview(value)[HEADER_BYTES:]
    if int.from_bytes(value[1:HEADER_BYTES], "big") != _checksum(file_id, number, content):
        raise ChunkDamaged(
            f"chunk {number} of {path} is not what was written; nothing of it was returned",
            next_step="`pnyx fs fsck --deep` looks at all files",
        )
    return content


def _checksum(file_id: bytes, number: int, content: bytes | memoryview) -> int:
    place = google_crc32c.value(file_id + number.to_bytes(8, "big"))
    return google_crc32c.extend(place, bytes(content))


def _check_version(value: bytes, path: str) -> None:
    version = value[0] if value else 0
    if version != VERSION:
        raise FormatNewer(
            f"{path} was written in format {version}, and this code knows {VERSION}",
            next_step="use the version of pnyx that wrote it, or a newer one",
        )
