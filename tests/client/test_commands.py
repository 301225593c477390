"""Do methods send redis-py's words, and is what cannot be meant refused before it is sent?"""

from datetime import UTC, datetime, timedelta

import pytest

from pnyx.client import commands
from pnyx.client.command import Command
from pnyx.client.errors import CrossSlot
from pnyx.client.table import Table
from pnyx.client.wire import packed

AT = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (commands.set("k", "v"), "SET k v"),
        (commands.set("k", 1, ex=5, nx=True, get=True), "SET k 1 EX 5 NX GET"),
        (commands.set("k", 1, px=timedelta(seconds=2), xx=True), "SET k 1 PX 2000 XX"),
        (commands.set("k", 1, px=timedelta(milliseconds=1001)), "SET k 1 PX 1001"),
        (commands.set("k", 1, exat=AT), "SET k 1 EXAT 1893456000"),
        (commands.set("k", 1, pxat=AT, ifeq="o"), "SET k 1 PXAT 1893456000000 IFEQ o"),
        (commands.set("k", 1.5, keepttl=True, ifne="o"), "SET k 1.5 KEEPTTL IFNE o"),
        (commands.cas("k", 7, "v", px=5), "PNYX.CAS k 7 v PX 5"),
        (commands.cas("k", 0, "v", keepttl=True), "PNYX.CAS k 0 v KEEPTTL"),
        (commands.getex("k", persist=True), "GETEX k PERSIST"),
        (commands.expire("k", timedelta(minutes=1), gt=True), "EXPIRE k 60 GT"),
        (commands.pexpire("k", 7), "PEXPIRE k 7"),
        (commands.delex("k", ifeq="v"), "DELEX k IFEQ v"),
        (commands.mset({"{t}a": 1, "{t}b": 2}), "MSET {t}a 1 {t}b 2"),
    ],
)
def test_options_become_words(command: Command, line: str) -> None:
    assert " ".join(map(str, command.words)) == line
    assert command.writes


def test_keys_that_do_not_share_a_slot_are_refused_before_anything_is_sent() -> None:
    for build in (commands.delete, commands.mget, commands.exists):
        with pytest.raises(CrossSlot):
            build("a", "b")
    with pytest.raises(CrossSlot):
        commands.mset({"a": 1, "b": 2})


def test_text_that_is_no_utf8_goes_there_as_it_came() -> None:
    assert packed(("GET", b"\xff".decode(errors="surrogateescape"))) == packed((b"GET", b"\xff"))
    assert packed((bytearray(b"a"), memoryview(b"b"), 1, 1.5)) == packed((b"a", b"b", b"1", b"1.5"))


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_a_value_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="convert it to bytes"):
        packed(("SET", "k", value))  # type: ignore[arg-type]


def test_the_table_of_commands_says_where_keys_are_and_what_writes() -> None:
    table = Table([[b"get", 2, [b"readonly"], 1, 1, 1], ["mset", -3, ["write"], 1, -1, 2]])
    assert not table.command(("get", "k")).writes
    assert table.command(("get", "k")).slot == commands.get("k").slot
    assert table.command((b"MSET", "{t}a", "x", "{t}b", "y")).writes
    with pytest.raises(CrossSlot):
        table.command(("MSET", "a", "x", "b", "y"))
    assert table.command(("PING",)).slot is None


def test_the_keys_of_a_subcommand_are_known() -> None:
    encoding = [b"object|encoding", 3, [b"readonly"], 2, 2, 1, [], [], [], []]
    table = Table([[b"object", -2, [], 0, 0, 0, [], [], [], [encoding]]])
    assert table.command(("OBJECT", "Encoding", "k")).slot == commands.get("k").slot
    assert table.command(("object", "help")).slot is None


@pytest.mark.parametrize("words", [("multi",), ("WATCH", "k"), ("client", "reply", "OFF"), ()])
def test_what_would_change_a_shared_connection_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"connection|name a command"):
        Table([]).command(words)
