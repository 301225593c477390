"""Does a transaction carry what it saw, and say which of its errors counts?"""

import hiredis
import pytest

from pnyx.client.errors import CrossSlot, Refused, WatchError
from pnyx.client.transaction import WATCHED_MAX, Plan
from pnyx.gateway.limits import WATCHED_KEYS_MAX


def error(text: str) -> hiredis.ReplyError:
    return hiredis.ReplyError(text)


def test_what_was_seen_goes_along_and_the_number_stands_before_exec() -> None:
    plan = Plan()
    plan.saw("{t}a", 7)
    plan.saw("{t}a", 9)
    plan.set("{t}b", 1)
    command = plan.exec()
    payload = command.payload(b"NUMBER ").replace(b"\r\n", b" ")
    assert b"PNYX.WATCH $4 {t}a $1 7" in payload
    assert payload.endswith(b"SET $4 {t}b $1 1 NUMBER *1 $4 EXEC ")
    assert command.is_once
    assert command.reply_count == 4


def test_the_first_error_counts_when_exec_gave_up() -> None:
    command = Plan().set("k", 1).exec()
    moved = error("MOVED 1 h:1")
    assert command.answer([b"OK", moved, error("EXECABORT gone")]) is moved
    assert command.answer([b"OK", b"QUEUED", error("UNKNOWN x")]).args == ("UNKNOWN x",)
    assert command.answer([b"OK", b"QUEUED", [b"OK"]]) == [b"OK"]


def test_results_are_those_of_the_methods_and_errors_are_raised() -> None:
    plan = Plan().set("k", 1).incrbyfloat("k", 0.5)
    assert plan.results([b"OK", b"1.5"]) == [True, 1.5]
    with pytest.raises(WatchError):
        plan.results(None)
    with pytest.raises(Refused, match="not a float"):
        plan.results([b"OK", error("ERR value is not a float")])


def test_keys_of_several_slots_are_refused() -> None:
    plan = Plan().set("a", 1)
    plan.saw("b", 0)
    with pytest.raises(CrossSlot):
        plan.exec()


def test_more_keys_than_a_node_lets_a_connection_watch_are_refused() -> None:
    plan = Plan()
    assert WATCHED_MAX == WATCHED_KEYS_MAX
    for number in range(WATCHED_MAX):
        plan.saw(f"{{t}}{number}", 1)
    with pytest.raises(Refused, match="at most 4096 keys"):
        plan.saw("{t}one more", 1)
