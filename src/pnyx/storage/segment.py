"""The write-ahead log's files and batches. Bytes in, bytes out.

A segment is `<sequence>.wal`: a 4096-byte header, batches, zeros. Its header::

    0       8         12       16           32     40         48      56       64      72
    +-------+---------+--------+------------+------+----------+-------+--------+-------+------~
    | magic | version | crc32c | cluster    | node | sequence | nonce | number | chain | zeros
    +-------+---------+--------+------------+------+----------+-------+--------+-------+------~

``crc32c`` covers bytes 0 to 12 and 16 to 72. ``number`` and ``chain`` name the last batch before
this segment that counts; whatever follows it in older segments is void.

A batch is exactly one sync. It starts and ends on a 4096-byte boundary (zero padded), so a sector
that was acknowledged is never written again::

    0       8        12         16       24       32      40           44     48
    +-------+--------+----------+--------+--------+-------+------------+------+---------~
    | magic | crc32c | records  | number | length | chain | checkpoint | zero | records
    +-------+--------+----------+--------+--------+-------+------------+------+---------~

``crc32c`` covers the segment's nonce and the header without itself. ``checkpoint`` says how many
of the first records restate the state before this batch: not 0 in the first batch of every segment,
and only there. ``chain = xxh3_64(previous chain, nonce, number, records)`` ties each batch to all
before it. Integers are little-endian.
"""

import re
import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import google_crc32c
import xxhash

from pnyx.ids import NodeId

BLOCK_BYTES: Final = 4096
VERSION: Final = 1
NO_CHAIN: Final = 0
"""The chain before the first batch ever."""

_SEGMENT: Final = struct.Struct("<8sII16sQQQQQ")
_SEGMENT_MAGIC: Final = b"pnyx wal"
_BATCH: Final = struct.Struct("<8sIIQQQII")
_BATCH_MAGIC: Final = b"pnyx bat"
_LINK: Final = struct.Struct("<QQQ")
_U64: Final = struct.Struct("<Q")
_NAME: Final = re.compile(r"^(\d{12})\.wal$")
BATCH_HEADER_BYTES: Final = _BATCH.size

assert _SEGMENT.size == 72, "the first diagram above promises 72"
assert BATCH_HEADER_BYTES == 48, "the second diagram above promises 48"

_crc32c = google_crc32c.value


class SegmentHeader(NamedTuple):
    """The first block of a segment, decoded."""

    cluster: bytes
    """16 bytes: see `cluster_digest`."""
    node: NodeId
    sequence: int
    nonce: int
    number: int
    """The last batch before this segment that counts; 0 is none."""
    chain: int


class Batch(NamedTuple):
    """A whole, intact batch."""

    number: int
    chain: int
    record_count: int
    checkpoint_count: int
    body: bytes
    end: int
    """Where the next batch starts in the segment."""


class Broken(Exception):
    """These bytes are no header or batch. Internal to recovery, which knows what that means."""


def file_name(sequence: int) -> str:
    """Return the name of the segment with this sequence number, from 1."""
    return f"{sequence:012d}.wal"


def sequence_of(name: str) -> int | None:
    """Return the sequence number of a segment's name, or None if it is not one."""
    match = _NAME.match(name)
    return int(match[1]) if match else None


def cluster_digest(cluster: str) -> bytes:
    """Return the 16 bytes that stand for a cluster id in segment headers."""
    return blake2b(cluster.encode(), digest_size=16).digest()


def encode_segment_header(header: SegmentHeader) -> bytes:
    """Return the segment's first block, 4096 bytes."""
    fields = (header.cluster, header.node, header.sequence, header.nonce)
    without = _SEGMENT.pack(_SEGMENT_MAGIC, VERSION, 0, *fields, header.number, header.chain)
    crc = _crc32c(without[:12] + without[16:])
    whole = _SEGMENT.pack(_SEGMENT_MAGIC, VERSION, crc, *fields, header.number, header.chain)
    return whole.ljust(BLOCK_BYTES, b"\0")


def decode_segment_header(block: bytes) -> SegmentHeader:
    """Return the header in a segment's first block.

    Raises:
        Broken: it is not a header of this version.
    """
    if len(block) < BLOCK_BYTES:
        raise Broken("the segment's header stops short")
    magic, version, crc, cluster, node, sequence, nonce, number, chain = _SEGMENT.unpack_from(block)
    if _crc32c(block[:12] + block[16 : _SEGMENT.size]) != crc:
        raise Broken("the segment's header fails its checksum")
    if magic != _SEGMENT_MAGIC or version != VERSION:
        raise Broken(f"a segment of format {version}, this version reads {VERSION}")
    return SegmentHeader(cluster, NodeId(node), sequence, nonce, number, chain)


def chain_after(chain: int, nonce: int, number: int, *parts: bytes) -> int:
    """Return the chain of batch `number`, whose records are `parts`, behind one with `chain`."""
    hasher = xxhash.xxh3_64(_LINK.pack(chain, nonce, number))
    for part in parts:
        hasher.update(part)
    return hasher.intdigest()


def batch_bytes(body_bytes: int) -> int:
    """Return how much of a segment a batch with this many bytes of records takes."""
    return -(-(BATCH_HEADER_BYTES + body_bytes) // BLOCK_BYTES) * BLOCK_BYTES


def encode_batch(
    nonce: int,
    number: int,
    chain: int,
    parts: Sequence[bytes],
    *,
    record_count: int,
    checkpoint_count: int = 0,
) -> tuple[bytes, int]:
    """Return a batch of the records that `parts` add up to, padded, and its chain.

    `chain` is the previous batch's.
    """
    chain = chain_after(chain, nonce, number, *parts)
    length = sum(map(len, parts))
    rest = _BATCH.pack(_BATCH_MAGIC, 0, record_count, number, length, chain, checkpoint_count, 0)
    crc = _crc32c(_U64.pack(nonce) + rest)
    padding = bytes(-(BATCH_HEADER_BYTES + length) % BLOCK_BYTES)
    header = b"".join((rest[:8], crc.to_bytes(4, "little"), rest[12:]))
    return b"".join((header, *parts, padding)), chain


def batch_number(segment: bytes, offset: int, nonce: int) -> int | None:
    """Return the number of the batch whose intact *header* is at `offset`, or None."""
    header = segment[offset : offset + BATCH_HEADER_BYTES]
    if len(header) < BATCH_HEADER_BYTES or header[:8] != _BATCH_MAGIC:
        return None
    crc = int.from_bytes(header[8:12], "little")
    covered = b"".join((_U64.pack(nonce), header[:8], b"\0\0\0\0", header[12:]))
    if _crc32c(covered) != crc:
        return None
    number: int = _U64.unpack_from(header, 16)[0]
    return number


def decode_batch(segment: bytes, offset: int, nonce: int, number: int, chain: int) -> Batch:
    """Return the batch at `offset`, which must be `number`, following one with `chain`.

    Raises:
        Broken: no whole, intact batch of that number is there.
    """
    found = batch_number(segment, offset, nonce)
    if found is None:
        raise Broken("no batch header, or one that fails its checksum")
    if found != number:
        raise Broken(f"batch {found} stands where batch {number} belongs")
    _, _, record_count, _, length, said, checkpoint_count, _ = _BATCH.unpack_from(segment, offset)
    start = offset + BATCH_HEADER_BYTES
    # Checked before slicing: a garbled length must not cost us its memory.
    if start + length > len(segment):
        raise Broken("the batch is longer than its segment")
    body = segment[start : start + length]
    if chain_after(chain, nonce, number, body) != said:
        raise Broken("the batch fails its chain")
    end = offset + batch_bytes(length)
    return Batch(number, said, record_count, checkpoint_count, body, end)


def body_at(segment: bytes, offset: int) -> bytes:
    """Return the records of the batch at `offset`, which was found whole before."""
    start = offset + BATCH_HEADER_BYTES
    length: int = _U64.unpack_from(segment, offset + 24)[0]
    return segment[start : start + length]


def is_blank(segment: bytes, offset: int) -> bool:
    """Is the block at `offset` all zeros, or past the segment's end?"""
    return not segment[offset : offset + BLOCK_BYTES].strip(b"\0")


def last_written_number(segment: bytes, offset: int, nonce: int) -> int:
    """Return the highest number of any batch header at or after `offset`; 0 if there is none.

    Only headers are looked at: that a later batch was begun proves that the one before it was
    durable, whatever became of its bytes.
    """
    found = (
        batch_number(segment, block, nonce)
        for block in range(offset, len(segment), BLOCK_BYTES)
        if segment[block : block + 8] == _BATCH_MAGIC
    )
    return max((number for number in found if number is not None), default=0)
