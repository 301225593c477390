"""Does `pnyx lab check` say by its exit status what it found?"""

import json
from pathlib import Path

import pytest

from lab.histories import Shape, made
from pnyx.cli.app import run

META = '{"meta":{"model":"register","initial":null}}\n'
WRITE = '{"i":0,"ev":"call","op":0,"p":1,"f":"write","k":null,"a":[1]}\n'
WRITTEN = '{"i":1,"ev":"ret","op":0,"p":1,"st":"ok","v":null}\n'
READ = '{"i":2,"ev":"call","op":1,"p":2,"f":"read","k":null,"a":[]}\n'


def told(value: str) -> str:
    return f'{{"i":3,"ev":"ret","op":1,"p":2,"st":"ok","v":{value}}}\n'


def file_of(folder: Path, text: str) -> str:
    path = folder / "history"
    path.write_text(text)
    return str(path)


def test_linearizable_is_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_of(tmp_path, META + WRITE + WRITTEN + READ + told("1"))
    assert run(["lab", "check", path]) == 0
    assert capsys.readouterr().out.startswith("LINEARIZABLE  2 operations of 2 clients")


def test_one_is_said_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab", "check", file_of(tmp_path, META + WRITE + WRITTEN)]) == 0
    assert "1 operation of 1 client on 1 key, " in capsys.readouterr().out


def test_not_linearizable_is_6_with_a_sentence_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(tmp_path, META + WRITE + WRITTEN + READ + told("null"))
    assert run(["lab", "check", path]) == 6
    out = capsys.readouterr().out
    assert "read #1 of client 2 returned nil, but write #0 of client 1" in out
    assert "line 4" in out


def test_undecided_is_7(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(made(Shape(2000, 50, 1), seed=1).lines())
    assert run(["lab", "check", file_of(tmp_path, text), "--seconds", "0"]) == 7
    assert "--seconds" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", META, META + WRITTEN, "nothing that is known\n"])
def test_unreadable_is_2_and_names_the_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", "check", file_of(tmp_path, text)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error[PX0501] line ")


def test_a_file_that_is_not_there_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab", "check", str(tmp_path / "none")]) == 2
    assert "PX0501" in capsys.readouterr().err


def test_an_unknown_model_is_2(tmp_path: Path) -> None:
    assert run(["lab", "check", file_of(tmp_path, META), "--model", "queue"]) == 2


def test_json_is_one_object_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(tmp_path, META + WRITE + WRITTEN + READ + told("null"))
    assert run(["lab", "check", path, "-o", "json"]) == 6
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "not linearizable"
    assert [one["line"] for one in found["part"]] == [2, 4]


def test_a_report_that_cannot_be_written_is_refused_before_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(tmp_path, META + WRITE + WRITTEN)
    assert run(["lab", "check", path, "--report", str(tmp_path / "none" / "a.html")]) == 2
    told = capsys.readouterr()
    assert "nothing was run" in told.err
    assert not told.out


def test_a_report_is_written_beside_the_verdict(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    path = file_of(tmp_path, META + WRITE + WRITTEN + READ + told("1"))
    assert run(["lab", "check", path, "--report", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")
