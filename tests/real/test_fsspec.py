"""Files on three real nodes pass fsspec's own tests of any filesystem."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from fsspec.implementations.local import LocalFileSystem, make_path_posix
from fsspec.tests import abstract

from pnyx.client.files.filesystem import PnyxFileSystem

pytestmark = pytest.mark.real
NUMBERS = count()
"""Of directories: names of tests hold what globs are made of."""


class TheirFixtures(abstract.AbstractFixtures):  # type: ignore[misc]
    @pytest.fixture
    def fs(self, files: PnyxFileSystem) -> PnyxFileSystem:
        return files

    @pytest.fixture
    def fs_path(self, fs: PnyxFileSystem) -> Iterator[str]:
        path = f"/{next(NUMBERS)}"
        yield path
        if fs.exists(path):
            fs.rm(path, recursive=True)

    @pytest.fixture
    def fs_sanitize_path(self) -> Callable[[str], str]:
        return lambda path: str(make_path_posix(path))

    @pytest.fixture(scope="class")
    @classmethod
    def local_fs(cls) -> LocalFileSystem:
        return LocalFileSystem(auto_mkdir=True)


class TestCopy(abstract.AbstractCopyTests, TheirFixtures): ...  # type: ignore[misc]


class TestGet(abstract.AbstractGetTests, TheirFixtures): ...  # type: ignore[misc]


class TestPut(abstract.AbstractPutTests, TheirFixtures): ...  # type: ignore[misc]


class TestOpen(abstract.AbstractOpenTests, TheirFixtures): ...  # type: ignore[misc]


class TestPipe(abstract.AbstractPipeTests, TheirFixtures): ...  # type: ignore[misc]
