"""The write-ahead log's record format. Bytes in, bytes out; no files here.

One record says one thing of one group::

    0        4        8        12     13     14     16      24      32             48
    +--------+--------+--------+------+------+------+-------+-------+--------------+---------~
    | header | payload| length | type | kind | zero | group | index | term or      | payload
    | crc32c | crc32c |        |      |      |      |       |       | ballot       |
    +--------+--------+--------+------+------+------+-------+-------+--------------+---------~

The header's checksum covers bytes 4 to 48, so a record's payload can be read back alone and
checked. Integers are little-endian. A term fills the first half of "term or ballot"; the second is
the node of a vote, or of a Paxos ballot. Records follow each other without gaps inside a batch
(storage/segment.py), whose chain covers them all.
"""

import struct
from enum import IntEnum
from typing import Final, NamedTuple

import google_crc32c
import msgspec

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Acceptance, Entry, EntryKind, HardState, Mark, Write
from pnyx.ids import GroupId, Index, NodeId, Term

_REST: Final = struct.Struct("<IIBBHQQQQ")
_HEADER: Final = struct.Struct("<IIIBBHQQQQ")
_CRC: Final = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size

assert HEADER_BYTES == 48, "the diagram above promises 48"
assert _REST.size == HEADER_BYTES - 4, "the checksum covers all but itself"

_crc32c = google_crc32c.value


class RecordType(IntEnum):
    """What a record says. Numbers are on disk: never reused."""

    FORMATION = 1
    """Payload: the encoded `Formed`. No group."""
    ENTRY = 2
    """Re-writing an index cuts the log there (Raft Fig. 7)."""
    HARD_STATE = 3
    """Term, and the node voted for if `kind` is 1."""
    COMPACTED = 4
    """Entries up to this index may be forgotten."""
    RESTARTED = 5
    """A snapshot was installed here: the log before is void unless it agrees at this index."""
    GROUP = 6
    """Payload: a `GroupCheckpoint`. Starts a group, or restates it in a checkpoint."""
    DESTROYED = 7
    """The group is gone from this node; term and vote as in `HARD_STATE` stay binding."""
    ACCEPTED = 9
    """Multi-Paxos: the log is accepted in this round and ends at this index: what lies past it in
    the log is void. 8 was kept for a promise, which is a HARD_STATE."""


class Record(NamedTuple):
    """A decoded record and where the next one starts."""

    type: RecordType
    kind: int
    group: GroupId
    index: Index  # type: ignore[assignment]  # a tuple's own method, which nobody needs here
    term: Term
    node: int
    payload: bytes
    end: int


class GroupCheckpoint(msgspec.Struct, frozen=True, array_like=True):
    """What a checkpoint restates of a group, so that older segments can go."""

    hard_state: HardState
    compacted: Mark
    last: Mark
    """The newest entry of the log at the checkpoint, or `compacted` if there is none."""
    memberships: tuple[tuple[Index, bytes], ...]
    """The MEMBERSHIP entries above `compacted`, and the newest one at or below it."""


class Malformed(Exception):
    """These bytes are no record. Internal to recovery, which knows what that means."""


# A lookup costs a fifth of calling the enumeration, and a restart makes millions.
_TYPES: Final = {int(known): known for known in RecordType}
_KINDS: Final = {int(known): known for known in EntryKind}

_encode_payload: Final = msgspec.msgpack.Encoder().encode
_decode_formed: Final = msgspec.msgpack.Decoder(Formed).decode
_decode_checkpoint: Final = msgspec.msgpack.Decoder(GroupCheckpoint).decode


def encode(
    record_type: RecordType,
    *,
    kind: int = 0,
    group: GroupId = GroupId(0),
    index: Index = Index(0),
    term: Term = Term(0),
    node: int = 0,
    payload: bytes = b"",
) -> bytes:
    """Return one record's bytes."""
    rest = _REST.pack(
        _crc32c(payload), len(payload), record_type, kind, 0, group, index, term, node
    )
    return _CRC.pack(_crc32c(rest)) + rest + payload


def encode_entries(group: GroupId, entries: tuple[Entry, ...], parts: list[bytes]) -> None:
    """Append the records of `entries` to `parts`. The hot path: payloads are not copied."""
    for entry in entries:
        payload = entry.payload
        rest = _REST.pack(
            _crc32c(payload), len(payload), 2, entry.kind, 0, group, entry.index, entry.term, 0
        )
        parts.append(_CRC.pack(_crc32c(rest)) + rest)
        parts.append(payload)


def encode_write(group: GroupId, write: Write, parts: list[bytes]) -> int:
    """Put one group's records into `parts`, in the order in which recovery folds them.

    Returns how many records they are.
    """
    count = len(write.entries)
    if write.restart is not None:
        parts.append(encode_mark(RecordType.RESTARTED, group, write.restart))
        count += 1
    if write.hard_state is not None:
        parts.append(encode_hard_state(group, write.hard_state))
        count += 1
    encode_entries(group, write.entries, parts)
    if write.accepted is not None:
        parts.append(encode_accepted(group, write.accepted))
        count += 1
    if write.compacted is not None:
        parts.append(encode_mark(RecordType.COMPACTED, group, write.compacted))
        count += 1
    return count


def encode_hard_state(
    group: GroupId, hard_state: HardState, record_type: RecordType = RecordType.HARD_STATE
) -> bytes:
    """Return the record of a term and vote."""
    vote = hard_state.voted_for
    return encode(
        record_type, kind=vote is not None, group=group, term=hard_state.term, node=vote or 0
    )


def encode_mark(record_type: RecordType, group: GroupId, mark: Mark) -> bytes:
    """Return the record of a compaction or a restart at `mark`."""
    return encode(record_type, group=group, index=mark.index, term=mark.term)


def encode_accepted(group: GroupId, accepted: Acceptance) -> bytes:
    """Return the record of an acceptance."""
    return encode(RecordType.ACCEPTED, group=group, index=accepted.last_index, term=accepted.term)


def encode_formed(formed: Formed) -> bytes:
    """Return the record of a formation map."""
    return encode(RecordType.FORMATION, payload=_encode_payload(formed))


def encode_group(group: GroupId, checkpoint: GroupCheckpoint) -> bytes:
    """Return the record that starts or restates a group."""
    return encode(RecordType.GROUP, group=group, payload=_encode_payload(checkpoint))


def decode(body: bytes, offset: int) -> Record:
    """Return the record at `offset`.

    Raises:
        Malformed: no whole, intact record is there.
    """
    if len(body) - offset < HEADER_BYTES:
        raise Malformed("a record stops short")
    crc, payload_crc, length, number, kind, _, group, index, term, node = _HEADER.unpack_from(
        body, offset
    )
    start = offset + HEADER_BYTES
    if _crc32c(body[offset + 4 : start]) != crc:
        raise Malformed("a record's header fails its checksum")
    end = start + length
    # Checked before slicing: a garbled length must not cost us its memory.
    if end > len(body):
        raise Malformed("a record is longer than its batch")
    payload = body[start:end]
    if _crc32c(payload) != payload_crc:
        raise Malformed("a record's payload fails its checksum")
    record_type = _TYPES.get(number)
    if record_type is None:
        raise Malformed(f"a record of type {number}, which this version does not know")
    return Record(record_type, kind, group, index, term, node, payload, end)


def entry_of(record: Record) -> Entry:
    """Return the log entry that an ENTRY record holds."""
    kind = _KINDS.get(record.kind)
    if kind is None:
        raise Malformed(f"an entry of kind {record.kind}, which this version does not know")
    return Entry(record.index, record.term, kind, record.payload)


def hard_state_of(record: Record) -> HardState:
    """Return the term and vote of a HARD_STATE or DESTROYED record."""
    return HardState(record.term, NodeId(record.node) if record.kind else None)


def formed_of(record: Record) -> Formed:
    """Return the map of a FORMATION record."""
    try:
        return _decode_formed(record.payload)
    except msgspec.MsgspecError as error:
        raise Malformed(f"a formation map that cannot be read: {error}") from error


def checkpoint_of(record: Record) -> GroupCheckpoint:
    """Return what a GROUP record restates."""
    try:
        return _decode_checkpoint(record.payload)
    except msgspec.MsgspecError as error:
        raise Malformed(f"a group's checkpoint that cannot be read: {error}") from error
