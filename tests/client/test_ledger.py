"""Do writes of one client get numbers while there is room, and sessions when there is none?"""

from pnyx.client import commands
from pnyx.client.errand import Call, numbered
from pnyx.client.errors import SessionExpired
from pnyx.client.ledger import AGE_MS_MAX, Ledger
from pnyx.transport.verdict import Trail

WINDOW = 16


def ledger(sessions: int, sessions_max: int = 4) -> Ledger:
    found = Ledger(sessions_max)
    for number in range(sessions):
        found.opened([b"%032d" % number, 1_000_000, 3_600_000, WINDOW], now_ms=0)
    return found


def test_a_ledger_opens_as_many_sessions_as_writes_want_and_no_more_than_its_limit() -> None:
    assert ledger(0).missing(1, 0) == 1
    assert ledger(1).missing(16, 0) == 0
    assert ledger(1).missing(17, 0) == 1
    assert ledger(1).missing(1000, 0) == 3
    assert ledger(4).missing(1000, 0) == 0


def test_full_windows_give_no_numbers_until_one_is_settled() -> None:
    full = ledger(2)
    numbers = full.take(100, 0, 1000)
    assert len(numbers) == 2 * WINDOW
    assert len({(one.session, one.sequence) for one in numbers}) == 2 * WINDOW
    assert full.take(1, 0, 1000) == []
    full.settle((), numbers[:1])
    assert len(full.take(5, 0, 1000)) == 1


def test_a_session_whose_clock_is_old_is_replaced() -> None:
    old = ledger(1)
    assert old.take(1, AGE_MS_MAX + 1, 1000) == []
    assert old.missing(1, AGE_MS_MAX + 1) == 1


def test_a_session_that_gave_a_number_gives_no_more_once_its_clock_is_old() -> None:
    both = ledger(1)
    (first,) = both.take(1, 0, 1000)
    both.opened([b"f" * 32, 1_000_000, 3_600_000, WINDOW], now_ms=AGE_MS_MAX)
    assert {one.session for one in both.take(2, AGE_MS_MAX, 1000)} == {first.session}
    assert {one.session for one in both.take(2, AGE_MS_MAX + 1, 1000)} == {b"f" * 32}


def test_a_session_whose_deadline_came_too_soon_gives_out_no_more_numbers() -> None:
    found = ledger(1)
    (number,) = found.take(1, 0, 1000)
    late = Call(commands.incr("k"), Trail(changes=True, in_session=True), number)
    late.fail(SessionExpired("late", outcome="unknown"))
    found.settle([late], [number])
    assert found.take(1, 1, 1000) == []


def test_reads_and_writes_without_keys_need_no_number() -> None:
    numbers = ledger(1).take(1, 0, 1000)
    piece = [commands.get("a"), commands.incr("a"), commands.get("b"), commands.incr("b")]
    calls, rest = numbered(piece, numbers)
    assert [call.number for call in calls] == [None, numbers[0], None]
    assert list(rest) == piece[3:]
