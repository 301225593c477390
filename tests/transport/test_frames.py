"""Frames: whole ones come back as they were, anything else closes the link."""

import itertools

import pytest
from google_crc32c import value as crc32c
from hypothesis import given, strategies as st

from pnyx.transport.frames import (
    FRAME_BYTES_MAX,
    HANDSHAKE_BYTES_MAX,
    HEADER_BYTES,
    SCRAP_BYTES_MAX,
    BadFrame,
    FrameReader,
    frame,
)

bodies = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


def read(reader: FrameReader, *chunks: bytes) -> list[bytes]:
    return [body for chunk in chunks for body in reader.feed(chunk)]


@given(bodies, st.lists(st.integers(1, 60), min_size=1))
def test_bodies_come_back_however_the_stream_is_cut(sent: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(body) for body in sent)
    chunks: list[bytes] = []
    at = 0
    while at < len(stream):
        step = cuts[len(chunks) % len(cuts)]
        chunks.append(stream[at : at + step])
        at += step
    reader = FrameReader()
    assert read(reader, *chunks) == sent
    assert reader.held_bytes == 0


@given(
    st.lists(st.integers(100, 3 * SCRAP_BYTES_MAX), min_size=1), st.integers(0, HEADER_BYTES - 1)
)
def test_a_long_body_comes_back_however_it_is_cut(cuts: list[int], behind: int) -> None:
    body = bytes(range(256)) * 200
    stream = frame(b"before") + frame(body) + frame(b"behind")[:behind]
    reader = FrameReader(FRAME_BYTES_MAX)
    came: list[bytes] = []
    for cut in itertools.cycle(cuts):
        came += reader.feed(stream[:cut])
        stream = stream[cut:]
        if not stream:
            break
    assert came == [b"before", body]
    assert reader.held_bytes == behind


@given(bodies.filter(bool), st.data())
def test_no_flipped_bit_changes_a_body(sent: list[bytes], data: st.DataObject) -> None:
    stream = bytearray(b"".join(frame(body) for body in sent))
    bit = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[bit // 8] ^= 1 << bit % 8
    intact: list[bytes] = []
    with pytest.raises(BadFrame):
        intact.extend(FrameReader().feed(bytes(stream)))
    assert intact == sent[: len(intact)]
    assert len(intact) < len(sent)


@given(st.binary(min_size=HEADER_BYTES, max_size=200))
def test_noise_is_a_bad_frame(noise: bytes) -> None:
    with pytest.raises(BadFrame):
        read(FrameReader(), noise)


def test_a_long_body_is_refused_by_its_header_alone() -> None:
    header = frame(bytes(HANDSHAKE_BYTES_MAX + 1))[:HEADER_BYTES]
    with pytest.raises(BadFrame, match="limit is 4096"):
        read(FrameReader(), header)
    assert read(FrameReader(FRAME_BYTES_MAX), header) == []


def test_a_garbled_length_is_found_before_its_bytes_arrive() -> None:
    header = bytearray(frame(b"x" * 100)[:HEADER_BYTES])
    header[4] += 1
    with pytest.raises(BadFrame, match="header fails"):
        read(FrameReader(), bytes(header))


def test_the_limit_may_rise_between_two_frames_of_one_chunk() -> None:
    reader = FrameReader()
    large = bytes(HANDSHAKE_BYTES_MAX + 1)
    arriving = reader.feed(frame(b"hello") + frame(large))
    assert next(arriving) == b"hello"
    reader.bytes_max = FRAME_BYTES_MAX
    assert list(arriving) == [large]


@pytest.mark.parametrize("at", [2, 3])
def test_another_version_is_refused_though_its_checksum_is_right(at: int) -> None:
    newer = bytearray(frame(b"x"))
    newer[at] += 1
    newer[12:16] = crc32c(bytes(newer[:12])).to_bytes(4, "little")
    with pytest.raises(BadFrame, match="this node speaks"):
        read(FrameReader(), bytes(newer))


def test_an_empty_body_is_refused() -> None:
    empty = bytearray(frame(b"x")[:HEADER_BYTES])
    empty[4:12] = bytes(4) + crc32c(b"").to_bytes(4, "little")
    empty[12:16] = crc32c(bytes(empty[:12])).to_bytes(4, "little")
    with pytest.raises(BadFrame, match="announces 0"):
        read(FrameReader(), bytes(empty))
