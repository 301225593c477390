"""What is noticed about a manifest or a chunk that cannot be believed."""

import pytest
from hypothesis import given, strategies as st

from pnyx.client.files.errors import ChunkDamaged, FormatNewer
from pnyx.client.files.formats import (
    CHUNK_BYTES,
    Kind,
    Manifest,
    chunk_count_of,
    decode_chunk,
    decode_manifest,
    encode_chunk,
    encode_manifest,
)

ID, OTHER = b"i" * 16, b"o" * 16


def test_a_manifest_comes_back_as_it_was() -> None:
    manifest = Manifest(Kind.FILE, 1, 2, ID, 300, ("/from", OTHER))
    assert decode_manifest(encode_manifest(manifest), "/path") == manifest


def test_a_manifest_of_a_newer_version_is_named_and_not_read() -> None:
    with pytest.raises(FormatNewer, match="/path was written in format 2"):
        decode_manifest(b"\x02whatever", "/path")


@pytest.mark.parametrize("value", [b"\x01", b"\x01\xc1", b"\x01\x91\x07"])
def test_what_is_no_manifest_is_damage(value: bytes) -> None:
    with pytest.raises(ChunkDamaged):
        decode_manifest(value, "/path")


@given(st.binary(min_size=1, max_size=64), st.data())
def test_one_wrong_bit_of_a_chunk_is_noticed(content: bytes, data: st.DataObject) -> None:
    value = bytearray(encode_chunk(ID, 7, content))
    bit = data.draw(st.integers(8, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ChunkDamaged):
        decode_chunk(bytes(value), ID, 7, "/path")


@pytest.mark.parametrize(("file_id", "number"), [(OTHER, 7), (ID, 8)])
def test_a_chunk_that_lies_under_anothers_key_is_noticed(file_id: bytes, number: int) -> None:
    with pytest.raises(ChunkDamaged):
        decode_chunk(encode_chunk(ID, 7, b"content"), file_id, number, "/path")


def test_a_chunk_is_counted_for_each_begun_piece() -> None:
    sizes = (0, 1, CHUNK_BYTES, CHUNK_BYTES + 1)
    assert [chunk_count_of(size) for size in sizes] == [0, 1, 1, 2]
