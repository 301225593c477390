"""The layout of rows: what later versions must still read."""

from pnyx.ids import GroupId
from pnyx.machine import rows


def test_a_data_row_is_found_by_slot_hash_and_key() -> None:
    suffix = rows.suffix_of(b"foo")
    assert suffix == (12182).to_bytes(2, "big") + bytes.fromhex("ab6e5f64077e") + b"foo"


def test_a_value_that_stays_carries_nine_bytes() -> None:
    row = rows.plain_row(7, b"value")
    assert row == b"\x01" + bytes(7) + b"\x07" + b"value"
    assert (rows.value_of(row), rows.expiry_of(row), rows.revision_of(row)) == (b"value", 0, 7)


def test_a_value_that_expires_carries_its_time() -> None:
    row = rows.expiring_row(7, 258, b"value")
    assert row == b"\x02" + bytes(7) + b"\x07" + bytes(6) + b"\x01\x02" + b"value"
    assert (rows.value_of(row), rows.expiry_of(row), rows.revision_of(row)) == (b"value", 258, 7)


def test_groups_and_generations_do_not_overlap() -> None:
    assert rows.group_prefix(GroupId(1), 2) == b"\0\0\0\1\0\0\0\2"
    assert rows.group_prefix(GroupId(1), 0xFFFFFFFF) < rows.group_end(GroupId(1))
    assert rows.group_end(GroupId(1)) <= rows.group_prefix(GroupId(2), 0)


def test_a_meta_row_reads_back() -> None:
    meta = rows.Meta(generation=3, totals=rows.Totals(clock_ms=5, keys=2))
    assert rows.decode_meta(rows.encode_row(meta)) == meta
