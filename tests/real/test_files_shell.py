"""What the verbs of `pnyx fs` do, typed at a shell."""

import os
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import pytest

from pnyx.cli.app import run
from pnyx.cli.fs import verbs
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
    with pytest.raises(SystemExit, match="5"):
        run(["fs", "cat", "--nodes", files.nodes, "/nowhere/file"])
    assert "no such file or directory: /nowhere/file" in capsys.readouterr().err
    assert run(["fs", "cat", "--nodes", files.nodes, "/../etc/passwd"]) == 1
    assert "cannot name a file" in capsys.readouterr().err


def typed(files: PnyxFileSystem, *words: str, given: bytes = b"") -> tuple[int, bytes, str]:
    """Return status, output and complaints of the program itself."""
    line = [sys.executable, "-m", "pnyx.cli.entry", "fs", words[0], "--nodes", files.nodes]
    done = subprocess.run([*line, *words[1:]], input=given, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def test_a_hyphen_is_standard_input_and_output(files: PnyxFileSystem, place: str) -> None:
    assert typed(files, "put", "-", f"{place}/file", given=b"hi\n") == (0, b"", "")
    assert typed(files, "get", f"{place}/file", "-") == (0, b"hi\n", "")
    assert typed(files, "get", f"{place}/file", "/dev/stdout") == (0, b"hi\n", "")
    for line in (["get", f"{place}/file", "--forse"], ["put", "--forse", f"{place}/file"]):
        status, _, told = typed(files, *line)
        assert (status, "nknown option" in told) == (2, True), told


def test_what_is_not_there_is_status_5_and_nothing_to_remove_is_2(
    files: PnyxFileSystem, place: str
) -> None:
    for verb in (["stat"], ["ls"], ["rm"], ["cp", "/x"], ["mv", "/x"], ["get"]):
        status, _, told = typed(files, verb[0], f"{place}/none", *verb[1:])
        assert (status, f"no such file or directory: {place}/none" in told) == (5, True), told
    status, _, told = typed(files, "rm")
    assert (status, "nothing to remove" in told) == (2, True)


def test_a_device_and_a_pipe_are_written_into(
    files: PnyxFileSystem, place: str, tmp_path: Path
) -> None:
    files.pipe_file(f"{place}/file", b"hi")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert run(["fs", "get", "--nodes", files.nodes, f"{place}/file", str(pipe)]) == 0
    assert os.read(reader, 9) == b"hi"
    os.close(reader)
    assert run(["fs", "get", "--nodes", files.nodes, f"{place}/file", "/dev/null"]) == 0
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()


def test_a_get_replaces_one_file_and_touches_no_other(
    files: PnyxFileSystem, place: str, tmp_path: Path
) -> None:
    files.pipe_file(f"{place}/file", b"hi")
    mine, link, aim = (tmp_path / name for name in ("file.part", "link", "file"))
    mine.write_text("mine")
    link.symlink_to(aim)
    assert run(["fs", "get", "--nodes", files.nodes, f"{place}/file", f"{tmp_path}/"]) == 0
    assert run(["fs", "get", "--nodes", files.nodes, f"{place}/file", str(link)]) == 0
    assert sorted(tmp_path.iterdir()) == [aim, mine, link]
    assert (mine.read_text(), aim.read_text(), link.is_symlink()) == ("mine", "hi", True)


def test_a_get_that_fails_leaves_what_was_there_and_says_why(
    files: PnyxFileSystem,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    files.pipe_file(f"{place}/file", b"hi")
    there = tmp_path / "there"
    there.write_text("old")
    line = ["fs", "get", "--nodes", files.nodes, f"{place}/file"]
    for target in ("none/", "none/file", "there/"):
        assert run([*line, f"{tmp_path}/{target}"]) == 1
        assert "no such local directory" in capsys.readouterr().err
    monkeypatch.setattr(verbs, "_pump", full)
    assert run([*line, str(there)]) == 1
    assert "No space left on device\n" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [there]
    assert there.read_text() == "old"


def test_a_directory_without_recursive_is_left_alone_and_the_option_named(
    files: PnyxFileSystem, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files.pipe_file(f"{place}/d/file", b"hi")
    for verb in (["rm"], ["mv", f"{place}/e"], ["cp", f"{place}/e"]):
        assert run(["fs", verb[0], "--nodes", files.nodes, f"{place}/d", *verb[1:]]) == 1
        assert "add --recursive" in capsys.readouterr().err
    into = [f"{place}/d", f"{place}/d/e", "--recursive"]
    assert run(["fs", "mv", "--nodes", files.nodes, *into]) == 1
    assert "a directory is not moved into itself" in capsys.readouterr().err
    assert files.find(place) == [f"{place}/d/file"]


def test_the_shells_verbs_know_no_patterns(files: PnyxFileSystem, place: str) -> None:
    files.pipe({f"{place}/{name}": b"" for name in ("a*", "ab", "[x]", "x")})
    for line in (["cp", f"{place}/a*", f"{place}/c"], ["rm", f"{place}/a*", f"{place}/[x]"]):
        assert run(["fs", line[0], "--nodes", files.nodes, *line[1:]]) == 0
        with pytest.raises(SystemExit):
            run(["fs", line[0], "--nodes", files.nodes, f"{place}/?", *line[2:3]])
    assert files.find(place) == [f"{place}/{name}" for name in ("ab", "c", "x")]


def test_who_has_seen_enough_of_a_file_is_told_of_no_error(
    files: PnyxFileSystem, place: str
) -> None:
    files.pipe_file(f"{place}/file", NEW * 4)
    line = [sys.executable, "-m", "pnyx.cli.entry", "fs", "cat", "--nodes", files.nodes]
    with subprocess.Popen(
        [*line, f"{place}/file"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as reading:
        assert reading.stdout is not None
        assert reading.stderr is not None
        assert reading.stdout.read(3) == b"new"
        reading.stdout.close()
        assert reading.stderr.read() == b""
    assert reading.returncode == 0


@pytest.mark.parametrize("word", ["0", str(2**63), str(2**70)])
def test_a_quota_that_cannot_be_counted_is_refused(
    files: PnyxFileSystem, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    assert run(["fs", "quota", "--nodes", files.nodes, "--total-bytes", word]) == 1
    assert "at least 1 and less than 2^63; nothing was changed" in capsys.readouterr().err
