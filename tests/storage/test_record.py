"""The log's bytes: what is written is read back, and nothing else is."""

import pytest
from hypothesis import given, strategies as st

from pnyx.consensus.formation import Formed
from pnyx.consensus.ready import Entry, EntryKind, HardState, Mark
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.storage import record, segment
from pnyx.storage.record import GroupCheckpoint, Malformed, RecordType

u64 = st.integers(0, 2**64 - 1)
node = st.none() | st.integers(0, 2**63 - 1).map(NodeId)


@given(u64, u64, u64, st.sampled_from(EntryKind), st.binary(max_size=300))
def test_an_entry_is_read_back_as_it_was(
    group: int, index: int, term: int, kind: EntryKind, payload: bytes
) -> None:
    entry = Entry(Index(index), Term(term), kind, payload)
    parts: list[bytes] = []
    record.encode_entries(GroupId(group), (entry,), parts)
    decoded = record.decode(b"".join(parts), 0)
    assert decoded.group == group
    assert record.entry_of(decoded) == entry


@given(u64, node)
def test_a_vote_for_nobody_is_not_a_vote_for_node_zero(term: int, vote: NodeId | None) -> None:
    state = HardState(Term(term), vote)
    decoded = record.decode(record.encode_hard_state(GroupId(3), state), 0)
    assert record.hard_state_of(decoded) == state


@given(st.binary(max_size=200), st.data())
def test_a_record_with_one_byte_changed_is_malformed(payload: bytes, data: st.DataObject) -> None:
    whole = record.encode(RecordType.ENTRY, group=GroupId(1), index=Index(7), payload=payload)
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = data.draw(st.integers(1, 255))
    broken = whole[:at] + bytes([whole[at] ^ flipped]) + whole[at + 1 :]
    with pytest.raises(Malformed):
        record.decode(broken, 0)


@given(st.binary(max_size=100), st.integers(0, 147))
def test_a_record_that_stops_short_is_malformed(payload: bytes, cut: int) -> None:
    whole = record.encode(RecordType.ENTRY, payload=payload)
    if cut < len(whole):
        with pytest.raises(Malformed):
            record.decode(whole[:cut], 0)


def test_a_checkpoint_and_a_formation_map_are_read_back() -> None:
    formed = Formed((("n1", NodeId(2**62)), ("n2", NodeId(7))), complete=True)
    checkpoint = GroupCheckpoint(
        HardState(Term(9), NodeId(7)),
        Mark(Index(4), Term(2)),
        Mark(Index(8), Term(9)),
        ((Index(3), b"old"), (Index(6), b"new")),
    )
    assert record.formed_of(record.decode(record.encode_formed(formed), 0)) == formed
    written = record.encode_group(GroupId(2), checkpoint)
    assert record.checkpoint_of(record.decode(written, 0)) == checkpoint


@given(u64, u64, u64, st.binary(max_size=9000), st.integers(0, 9000))
def test_a_batch_fills_whole_blocks_and_is_read_back(
    nonce: int, number: int, chain: int, body: bytes, cut: int
) -> None:
    parts = [body[:cut], body[cut:]]
    batch, after = segment.encode_batch(nonce, number, chain, parts, record_count=3)
    assert len(batch) % segment.BLOCK_BYTES == 0
    assert len(batch) == segment.batch_bytes(len(body))
    decoded = segment.decode_batch(batch, 0, nonce, number, chain)
    assert (decoded.body, decoded.chain, decoded.end) == (body, after, len(batch))


@pytest.mark.parametrize("wrong", ["nonce", "number", "chain"])
def test_a_batch_of_another_segment_or_place_is_refused(wrong: str) -> None:
    place = {"nonce": 5, "number": 6, "chain": 7}
    batch, _ = segment.encode_batch(**place, parts=[b"records"], record_count=1)
    place[wrong] += 1
    with pytest.raises(segment.Broken):
        segment.decode_batch(batch, 0, **place)
