"""What several tests of real files need."""

import os
from errno import EINVAL
from pathlib import Path

import pytest


@pytest.fixture
def cached_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be opened for writes past the page cache."""
    real = os.open

    def refuses(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECT:
            raise OSError(EINVAL, "Invalid argument")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", refuses)
