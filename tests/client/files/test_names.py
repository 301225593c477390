"""Which paths are refused, and that two paths never share a key."""

import pytest
from hypothesis import given, strategies as st

from pnyx.client.files.errors import NameRefused
from pnyx.client.files.names import (
    chunk_key,
    chunk_of,
    cleaned,
    closed_key,
    directory_tag,
    entry_key,
    parent_of,
)
from pnyx.machine.slots import slot_of

NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"), min_size=1, max_size=8
).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES | st.text("{}%a", min_size=1, max_size=4), min_size=1, max_size=4).map(
    lambda names: "/" + "/".join(names)
)


@pytest.mark.parametrize(
    "path", ["/a/../b", "..", "/.", "/a\0b", "/a\nb", "/a\x7f", "/\x9b", "/\ud800"]
)
def test_a_path_that_is_no_name_is_refused(path: str) -> None:
    with pytest.raises(NameRefused):
        cleaned(path)


@pytest.mark.parametrize("path", ["/" + "é" * 128, "/" + "/".join(["a" * 200] * 21)])
def test_a_name_or_path_that_is_too_long_is_refused(path: str) -> None:
    with pytest.raises(NameRefused, match="longer than"):
        cleaned(path)


def test_a_path_is_not_so_deep_that_a_walk_to_its_end_is_too_deep_for_python() -> None:
    assert cleaned("/a" * 128) == "/a" * 128
    with pytest.raises(NameRefused, match="more than 128 names"):
        cleaned("/a" * 129)


def test_slashes_are_counted_once() -> None:
    assert cleaned("a//b/") == cleaned("/a/b") == "/a/b"


@given(PATHS, PATHS)
def test_two_paths_never_share_a_key(one: str, other: str) -> None:
    assert (entry_key(one) == entry_key(other)) == (one == other)


@given(PATHS)
def test_a_directory_and_its_entries_share_a_slot(path: str) -> None:
    slot = slot_of(directory_tag(parent_of(path)))
    assert slot_of(entry_key(path)) == slot_of(closed_key(parent_of(path))) == slot


@given(st.binary(min_size=16, max_size=16), st.integers(0, 1 << 40))
def test_a_chunks_key_says_whose_it_is(file_id: bytes, number: int) -> None:
    assert chunk_of(chunk_key(file_id, number)) == (file_id, number)


@pytest.mark.parametrize("key", [b"pnyx:chunk:", b"pnyx:chunk:zz:1", b"other", b"pnyx:chunk:00:x"])
def test_what_is_no_chunks_key_is_nobodys(key: bytes) -> None:
    assert chunk_of(key) is None
