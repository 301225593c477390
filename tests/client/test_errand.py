"""What becomes of calls, step by step, when nodes redirect, refuse, doubt, break or stay silent?"""

import hiredis
import pytest

from pnyx.client import commands
from pnyx.client.command import Command, Exec
from pnyx.client.errand import NO_QUORUM_S, Call, Errand
from pnyx.client.errors import (
    AnswerLost,
    AuthError,
    CrossSlot,
    NoQuorum,
    Refused,
    SessionExpired,
    Timeout,
    Unavailable,
)
from pnyx.client.ledger import OPEN
from pnyx.client.routes import Routes
from pnyx.client.wire import packed
from pnyx.errors import PnyxError
from pnyx.gateway.outcomes import NOT_DONE, UNKNOWN
from pnyx.machine.once import (
    ACKNOWLEDGED,
    DEADLINE_PASSED,
    DEADLINE_TOO_FAR,
    OTHER_USER,
    WINDOW_OVERFLOW,
)
from pnyx.machine.results import Refusal
from pnyx.machine.sessions import ANSWER_NOT_KEPT, SHARD_FULL, USER_FULL
from pnyx.machine.slots import slot_of
from pnyx.prng import Prng
from pnyx.replica.requests import Reason
from pnyx.transport.backoff import Backoff
from pnyx.transport.numbering import Number
from pnyx.transport.verdict import Trail

A, B = ("a", 1), ("b", 2)
NO_QUORUM = hiredis.ReplyError(NOT_DONE[Reason.NO_QUORUM].text)
REFUSALS = (
    *(
        refusal.text
        for refusal in (WINDOW_OVERFLOW, DEADLINE_TOO_FAR, SHARD_FULL, USER_FULL, OTHER_USER)
    ),
    NOT_DONE[Reason.TOO_LARGE].text,
    "NOAUTH Authentication required.",
    "ERR unknown command 'PNYX.SEQ'",
    "ERR Protocol error: invalid bulk length",
    "CROSSSLOT Keys in request don't hash to the same slot",
)
"""What a node says before it looks at the session's records."""


def errand(*calls: Call) -> Errand:
    return Errand(calls, Routes((A, B)), Backoff(Prng(1)), ends_s=10.0, ack=lambda _number: 0)


def write(*, in_session: bool = False) -> Call:
    return Call(commands.incr("k"), Trail(changes=True, in_session=in_session))


def read() -> Call:
    return Call(commands.get("k"), Trail(changes=False, in_session=False))


def error_of(call: Call) -> PnyxError:
    assert call.is_over
    assert call.error is not None
    return call.error


def test_an_answer_ends_the_call() -> None:
    call = write()
    on_way = errand(call)
    (parcel,) = on_way.parcels(0.0)
    assert parcel.payload == b"*3\r\n$6\r\nINCRBY\r\n$1\r\nk\r\n$1\r\n1\r\n"
    on_way.answered(parcel, [7])
    assert on_way.pause_s(0.1) is None
    assert call.outcome() == 7


def test_a_redirection_is_followed_at_once() -> None:
    call = write()
    on_way = errand(call)
    (parcel,) = on_way.parcels(0.0)
    slot = call.command.slot
    on_way.routes.learn([[0, 16_383, ["a", 1, ""]]], A)
    on_way.answered(parcel, [hiredis.ReplyError(f"MOVED {slot} b:2")])
    assert on_way.pause_s(0.1) == 0.0
    assert [one.address for one in on_way.parcels(0.1)] == [B]


def test_a_write_that_may_be_done_is_not_sent_again_outside_a_session() -> None:
    call = write()
    on_way = errand(call)
    (parcel,) = on_way.parcels(0.0)
    on_way.broke(parcel, [], "reset", 0.1, has_left=True)
    assert on_way.pause_s(0.1) is None
    assert isinstance(error_of(call), Timeout)
    assert error_of(call).outcome == "unknown"  # type: ignore[attr-defined]


@pytest.mark.parametrize("call", [write(in_session=True), read()])
def test_what_may_be_repeated_goes_to_another_node(call: Call) -> None:
    on_way = errand(call)
    (parcel,) = on_way.parcels(0.0)
    on_way.broke(parcel, [], "reset", 0.1, has_left=True)
    assert on_way.pause_s(0.1) == 0.0
    (again,) = on_way.parcels(0.1)
    assert again.address != parcel.address
    assert again.payload == parcel.payload


def test_a_write_that_never_left_is_sent_again() -> None:
    on_way = errand(write())
    (parcel,) = on_way.parcels(0.0)
    on_way.broke(parcel, [], "refused", 0.1, has_left=False)
    assert on_way.parcels(0.1)


def test_a_session_outlives_an_unknown_outcome_and_its_doubt_outlives_refusals() -> None:
    call = write(in_session=True)
    on_way = errand(call)
    for reply in (hiredis.ReplyError(UNKNOWN.text), NO_QUORUM):
        (parcel,) = on_way.parcels(0.0)
        on_way.answered(parcel, [reply])
        assert 0 < (on_way.pause_s(0.1) or 0) <= 0.25
    assert on_way.pause_s(10.0) is None
    assert error_of(call).outcome == "unknown"  # type: ignore[attr-defined]


def late(text: str, *, is_doubtful: bool) -> PnyxError:
    call = write(in_session=True)
    call.trail.is_doubtful = is_doubtful
    on_way = errand(call)
    (parcel,) = on_way.parcels(0.0)
    on_way.answered(parcel, [hiredis.ReplyError(text)])
    return error_of(call)


@pytest.mark.parametrize("refusal", [DEADLINE_PASSED, ACKNOWLEDGED])
def test_a_deadline_that_passed_ends_the_attempts_and_a_first_one_was_not_done(
    refusal: Refusal,
) -> None:
    for is_doubtful, outcome in ((False, "not_applied"), (True, "unknown")):
        error = late(refusal.text, is_doubtful=is_doubtful)
        assert isinstance(error, SessionExpired)
        assert error.outcome == outcome


def test_an_answer_that_was_not_kept_says_that_the_write_was_done() -> None:
    assert isinstance(late(ANSWER_NOT_KEPT.text, is_doubtful=True), AnswerLost)


def test_a_number_goes_before_its_command_and_stays_the_same() -> None:
    call = write(in_session=True)
    call.number = Number(b"f" * 32, 7, 99)
    on_way = Errand((call,), Routes((A, B)), Backoff(Prng(1)), ends_s=10.0, ack=lambda _: 5)
    payloads = []
    for _ in range(2):
        (parcel,) = on_way.parcels(0.0)
        payloads.append(parcel.payload)
        on_way.broke(parcel, [], "reset", 0.1, has_left=True)
    prefix = packed(("PNYX.SEQ", b"f" * 32, 7, 5, 99))
    assert payloads == [prefix + packed(call.command.words)] * 2


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_error_from_before_the_records_does_not_end_a_doubt(refusal: str) -> None:
    call = write(in_session=True)
    on_way = errand(call)
    for text in (UNKNOWN.text, refusal):
        (parcel,) = on_way.parcels(0.0)
        on_way.answered(parcel, [hiredis.ReplyError(text)])
        assert not call.is_over
        assert on_way.pause_s(0.1)
    assert on_way.pause_s(10.0) is None
    assert isinstance(error_of(call), Timeout)
    assert error_of(call).outcome == "unknown"  # type: ignore[attr-defined]


def test_a_node_that_does_not_talk_to_us_ends_no_doubt_whatever_it_says() -> None:
    doubtful, fresh = write(in_session=True), write(in_session=True)
    doubtful.trail.is_doubtful = True
    on_way = errand(doubtful, fresh)
    (parcel,) = on_way.parcels(0.0)
    on_way.refused(parcel, "ERR AUTH <password> called without any password configured")
    assert isinstance(error_of(fresh), AuthError)
    assert "leave the password out" in error_of(fresh).next_step
    assert not doubtful.is_over
    assert on_way.pause_s(10.0) is None
    assert error_of(doubtful).outcome == "unknown"  # type: ignore[attr-defined]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_the_same_error_ends_a_call_none_of_whose_attempts_is_in_doubt(refusal: str) -> None:
    call = write(in_session=True)
    on_way = errand(call)
    for text in (NO_QUORUM, hiredis.ReplyError(refusal)):
        (parcel,) = on_way.parcels(0.0)
        on_way.answered(parcel, [text])
    assert isinstance(error_of(call), Refused | AuthError | CrossSlot)
    assert on_way.pause_s(0.1) is None


def test_an_error_of_the_write_itself_ends_a_doubt() -> None:
    call = write(in_session=True)
    on_way = errand(call)
    for text in (UNKNOWN.text, "ERR value is not an integer or out of range"):
        (parcel,) = on_way.parcels(0.0)
        on_way.answered(parcel, [hiredis.ReplyError(text)])
    assert isinstance(error_of(call), Refused)


def test_the_end_of_patience_says_what_is_known() -> None:
    silent, refused, answered = write(), write(), write()
    for call, replies in ((silent, []), (refused, [NO_QUORUM]), (answered, [_error("TRYAGAIN x")])):
        on_way = errand(call)
        (parcel,) = on_way.parcels(0.0)
        if replies:
            on_way.answered(parcel, replies)
        else:
            on_way.broke(parcel, [], "refused", 0.1, has_left=False)
        assert on_way.pause_s(10.0) is None
    assert type(error_of(silent)) is Unavailable
    assert type(error_of(refused)) is NoQuorum
    assert type(error_of(answered)) is Timeout
    outcomes = {error_of(call).outcome for call in (silent, refused, answered)}  # type: ignore[attr-defined]
    assert outcomes == {"not_applied"}


def test_the_replies_that_came_before_a_connection_broke_count() -> None:
    first, second, third = write(), read(), write()
    on_way = errand(first, second, third)
    (parcel,) = on_way.parcels(0.0)
    on_way.broke(parcel, [1, b"1"], "reset", 0.1, has_left=True)
    assert first.outcome() == 1
    assert second.outcome() == b"1"
    assert isinstance(error_of(third), Timeout)


TOO_LONG = hiredis.ReplyError("ERR Protocol error: invalid bulk length")


def transaction(*, in_session: bool = False) -> Call:
    command = Exec((commands.set("k", "large"), commands.set("k", 2)), {}, slot_of(b"k"))
    return Call(command, Trail(changes=True, in_session=in_session))


@pytest.mark.parametrize("in_session", [True, False])
@pytest.mark.parametrize("heard", [[b"OK"], [b"OK", b"QUEUED"]])
def test_a_transaction_that_became_unreadable_before_its_exec_did_nothing(
    in_session: bool, heard: list[bytes]
) -> None:
    call = transaction(in_session=in_session)
    on_way = errand(call)
    (parcel,) = on_way.parcels(0.0)
    on_way.broke(parcel, [*heard, TOO_LONG], "reset", 0.1, has_left=True)
    assert isinstance(error_of(call), Refused)
    assert "limits.value_bytes_max" in error_of(call).next_step
    assert on_way.pause_s(0.1) is None


def test_a_transaction_whose_exec_may_have_arrived_stays_in_doubt_whatever_comes_then() -> None:
    call = transaction(in_session=True)
    on_way = errand(call)
    for replies in ([b"OK", b"QUEUED", b"QUEUED"], [b"OK", TOO_LONG]):
        (parcel,) = on_way.parcels(0.0)
        on_way.broke(parcel, replies, "reset", 0.1, has_left=True)
        assert not call.is_over
    assert on_way.pause_s(10.0) is None
    assert error_of(call).outcome == "unknown"  # type: ignore[attr-defined]


def test_what_stands_behind_an_unreadable_command_was_not_done_and_is_sent_again() -> None:
    large, behind, transacted = write(), write(), transaction()
    on_way = errand(large, behind, transacted)
    (parcel,) = on_way.parcels(0.0)
    on_way.broke(parcel, [TOO_LONG], "reset", 0.1, has_left=True)
    assert isinstance(error_of(large), Refused)
    (again,) = on_way.parcels(0.1)
    assert list(again.calls) == [behind, transacted]
    assert again.address == parcel.address


def test_a_wrong_command_is_raised_and_its_neighbours_go_on() -> None:
    wrong, right = write(), read()
    on_way = errand(wrong, right)
    (parcel,) = on_way.parcels(0.0)
    on_way.answered(parcel, [_error("ERR value is not an integer or out of range"), b"x"])
    assert isinstance(error_of(wrong), Refused)
    assert right.outcome() == b"x"


def _error(text: str) -> hiredis.ReplyError:
    return hiredis.ReplyError(text)


def test_a_stale_read_goes_to_any_node_and_says_so_before_itself() -> None:
    call = Call(commands.get("k", read="stale"), Trail(changes=False, in_session=False))
    on_way = errand(call)
    on_way.routes.learn([[0, 16_383, ["b", 2, ""], ["a", 1, ""]]], A)
    on_way.routes.failed(B, 0.0)
    (parcel,) = on_way.parcels(0.0)
    assert parcel.address == A
    assert parcel.payload == packed(("PNYX.STALE",)) + packed(("GET", "k"))
    assert parcel.reply_count == 1
    on_way.answered(parcel, [b"v"])
    assert call.outcome() == b"v"


def test_a_write_without_a_quorum_is_not_sent_when_its_answer_could_not_come_in_time() -> None:
    """The attempt would be cut short, and what is known not to be done would be in doubt."""
    sure, doubtful, asks = write(in_session=True), write(in_session=True), read()
    on_way = errand(sure, doubtful, asks)
    (parcel,) = on_way.parcels(0.0)
    on_way.answered(parcel, [NO_QUORUM] * 3)
    doubtful.trail.is_doubtful = True
    assert on_way.pause_s(10.0 - NO_QUORUM_S) is not None
    assert isinstance(error_of(sure), NoQuorum)
    (again,) = on_way.parcels(9.0)
    assert again.calls == [doubtful, asks]


def test_no_attempt_begins_after_the_pause_that_ends_with_the_callers_patience() -> None:
    call = write(in_session=True)
    on_way = errand(call)
    (parcel,) = on_way.parcels(0.0)
    on_way.answered(parcel, [hiredis.ReplyError("TRYAGAIN x")])
    assert on_way.pause_s(9.999) is None
    assert error_of(call).outcome == "not_applied"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("command", "name"),
    [(Command((b"PING",), None, writes=False), "PING"), (OPEN, "the write that wants a session")],
)
def test_errors_call_a_command_as_whoever_gave_it_does(command: Command, name: str) -> None:
    call = Call(command, Trail(changes=False, in_session=False))
    on_way = errand(call)
    (parcel,) = on_way.parcels(0.0)
    on_way.broke(parcel, [], "refused", 0.1, has_left=False)
    assert on_way.pause_s(10.0) is None
    assert str(error_of(call)).startswith(f"{name} was not done")
