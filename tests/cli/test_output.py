"""Rows in the form that was asked for."""

import json

import pytest

from pnyx.cli.output import Form, aligned, show, text_fields

ROWS = [{"node": "n1", "up": True, "term": 12}, {"node": "node-two", "up": False}]
COLUMNS = ("node", "up", "term")


def shown(form: Form, capsys: pytest.CaptureFixture[str]) -> str:
    show(ROWS, COLUMNS, form)
    return capsys.readouterr().out


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(shown("json", capsys)) == ROWS


def test_jsonl_is_one_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert [json.loads(line) for line in shown("jsonl", capsys).splitlines()] == ROWS


def test_plain_has_no_header_and_a_dash_for_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert shown("plain", capsys) == "n1\tyes\t12\nnode-two\tno\t-\n"


def test_a_table_cuts_nothing_off_and_lines_its_columns_up() -> None:
    lines = aligned([["n1", "x" * 200], ["longer", "y"]], ["node", "value"])
    assert lines[1] == "n1      " + "x" * 200
    assert lines[0] == "node    value"


def test_bytes_that_are_no_text_are_marked_as_encoded() -> None:
    assert text_fields("value", b"plain") == {"value": "plain"}
    assert text_fields("value", b"\xff\x00") == {"value_base64": "/wA="}
