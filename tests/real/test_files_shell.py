"""What the verbs of `pnyx fs` do, typed at a shell."""

from pathlib import Path

import pytest

from pnyx.cli.app import run
from pnyx.client.files.filesystem import PnyxFileSystem
from pnyx.client.files.formats import CHUNK_BYTES

pytestmark = pytest.mark.real
OLD, NEW = b"old" * CHUNK_BYTES, b"new" * (CHUNK_BYTES + 7)


def test_the_shells_verbs_do_what_they_say(
    files: PnyxFileSystem, place: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    def typed(*words: str) -> bytes:
        assert run(["fs", words[0], "--nodes", files.nodes, *words[1:]]) == 0, words
        return capsysbinary.readouterr().out

    local = tmp_path / "local.txt"
    local.write_bytes(NEW)
    typed("put", str(local), f"{place}/")
    assert typed("cat", f"{place}/local.txt") == NEW
    typed("cp", f"{place}/local.txt", f"{place}/sub/copy.txt")
    typed("get", f"{place}/sub/copy.txt", str(tmp_path))
    assert (tmp_path / "copy.txt").read_bytes() == NEW
    assert b"sub/\n    copy.txt" in typed("tree", place)
    typed("rm", "--recursive", "--yes", f"{place}/sub")
    assert typed("ls", place, "-o", "plain").endswith(b"local.txt\n")
    assert b"bytes of all files" in typed("quota")


def test_the_shell_is_told_in_a_sentence_what_is_not_there(
    files: PnyxFileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fs", "cat", "--nodes", files.nodes, "/nowhere/file"]) == 1
    assert "no such file or directory: /nowhere/file" in capsys.readouterr().err
    assert run(["fs", "cat", "--nodes", files.nodes, "/../etc/passwd"]) == 1
    assert "cannot name a file" in capsys.readouterr().err
