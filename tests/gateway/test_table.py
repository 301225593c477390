"""The table of commands: complete, consistent, and the same in code, in COMMAND and in the docs."""

import time
from pathlib import Path

import pytest

from pnyx.gateway.introspection import find
from pnyx.gateway.reference import page
from pnyx.gateway.rows import Row
from pnyx.gateway.table import QUICK, TABLE
from pnyx.machine.commands import Command
from pnyx.machine.results import Refusal

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
ROWS = [member for row in TABLE.values() for member in (row, *row.subcommands.values())]
MACHINE = [row for row in ROWS if row.parse is not None]


def test_the_page_of_commands_is_what_the_table_says() -> None:
    written = (REFERENCE / "redis-commands.md").read_text(encoding="utf-8")
    assert written == page(), "make it again: python -m pnyx.gateway.reference"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_says_everything_about_its_command(row: Row) -> None:
    assert row.name == row.name.lower()
    assert row.arity not in {0, 1} or not row.keys[0]
    assert row.summary
    assert not row.summary.endswith(".")
    assert row.group
    assert len(row.since.split(".")) == 3
    assert bool(row.keys[0]) == bool(row.specs), "keys are told in both ways"
    assert row.is_write == ("@write" in row.acl_categories())


@pytest.mark.parametrize("row", MACHINE, ids=lambda row: row.name)
def test_any_words_of_the_right_number_are_a_command_or_a_refusal(row: Row) -> None:
    assert row.parse is not None
    for word in (b"", b"1", b"x", b"\xff\r\n", b"-1", b"9" * 30, b"0", b"EX", b"GET"):
        for count in range(row.least, min(row.most, row.least + 6) + 1):
            parsed = row.parse([word] * count)
            assert isinstance(parsed, Command | Refusal)
            assert row.is_write or isinstance(parsed, Refusal) or not parsed.writes


def test_the_key_positions_name_keys_of_real_commands() -> None:
    for words, keys in (
        ([b"SET", b"k", b"v"], [b"k"]),
        ([b"MSET", b"a", b"1", b"b", b"2"], [b"a", b"b"]),
        ([b"DEL", b"a", b"b", b"c"], [b"a", b"b", b"c"]),
        ([b"BITOP", b"AND", b"d", b"a", b"b"], [b"d", b"a", b"b"]),
        ([b"OBJECT", b"FREQ", b"k"], [b"k"]),
        ([b"LCS", b"a", b"b", b"LEN"], [b"a", b"b"]),
        ([b"PING"], []),
    ):
        row = find(TABLE, words)
        assert row is not None
        assert row.keys_of(words) == keys


def test_a_time_that_would_overflow_from_now_is_refused() -> None:
    last = (2**63 - 1 - time.time_ns() // 1_000_000) // 1000
    for words, at in (
        ([b"SETEX", b"k", b"", b"v"], 2),
        ([b"SET", b"k", b"v", b"EX", b""], 4),
        ([b"EXPIRE", b"k", b""], 2),
        ([b"GETEX", b"k", b"EX", b""], 3),
    ):
        parse = TABLE[words[0]].parse
        assert parse is not None
        for seconds, is_fine in ((last - 60, True), (last + 1, False), (9223370300000000, False)):
            words[at] = b"%d" % seconds
            assert isinstance(parse(words), Command) == is_fine


def test_the_usual_spellings_are_found_without_changing_case() -> None:
    assert QUICK[b"GET"] is QUICK[b"get"] is QUICK[b"Get"] is TABLE[b"GET"]
