"""Sessions: at most once, the first answer again, forgotten by the log alone."""

import msgspec
import pytest

from machine.driving import GROUP, MEMBERS, START_MS, Driver, dump
from machine.sessions import DEADLINE_MS, INCREMENT, SESSION, once
from pnyx.consensus.ready import Mark
from pnyx.ids import Index, Term
from pnyx.machine import commands as c, once as rule, rows, sessions
from pnyx.machine.group import Group
from pnyx.machine.results import NULL_ARRAY, Refusal
from pnyx.machine.shards import shard_of_slot
from pnyx.machine.slots import slot_of
from pnyx.prng import Prng

PREFIX = rows.group_prefix(GROUP, 1)


def session_rows(driver: Driver) -> list[bytes]:
    """Return the keys of all rows of sessions, without group and generation."""
    return [key[8:] for key, _ in dump(driver.space) if key[8:9] >= rows.KIND_SESSION]


def test_a_retry_gets_the_first_answer_and_has_no_effect() -> None:
    driver = Driver()
    assert driver.one(once(1, INCREMENT)) == 1
    driver.run(c.IncrBy(b"k", 10))
    assert driver.run(once(1, INCREMENT), once(2, INCREMENT, ack=1)) == [1, 12]


def test_a_refused_command_is_refused_again_although_it_could_be_done_by_now() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"word"))
    first = driver.one(once(1, INCREMENT))
    driver.run(c.Set(b"k", b"1"))
    assert driver.run(once(1, INCREMENT), c.Get(b"k")) == [first, b"1"]


def test_a_retried_transaction_gets_its_answer_although_a_watched_key_changed() -> None:
    driver = Driver()
    watching = c.Transaction((INCREMENT, c.Get(b"k")), ((b"k", 0),))
    retried = msgspec.structs.replace(once(1, watching), command=c.Transaction((INCREMENT,)))
    assert driver.run(once(1, watching), retried) == [[1, b"1"], [1, b"1"]]
    aborted = once(2, watching, ack=1)
    assert driver.run(aborted, c.Del((b"k",)), aborted) == [NULL_ARRAY, 1, NULL_ARRAY]


def test_a_late_write_is_refused_whether_it_was_done_or_not() -> None:
    driver = Driver()
    driver.run(once(1, INCREMENT))
    driver.now_ms = DEADLINE_MS
    late = str(rule.DEADLINE_PASSED.text)
    assert driver.run(once(1, INCREMENT), once(2, INCREMENT)) == [f"-{late}"] * 2
    assert driver.one(c.Get(b"k")) == b"1"


def test_an_acknowledged_sequence_is_never_done_again() -> None:
    driver = Driver()
    driver.run(once(1, INCREMENT), once(2, INCREMENT, ack=1))
    assert driver.one(once(1, INCREMENT)) == f"-{rule.ACKNOWLEDGED.text}"
    assert driver.one(once(5, INCREMENT, ack=9)) == f"-{rule.ACKNOWLEDGED.text}"
    assert driver.one(c.Get(b"k")) == b"2"


def test_the_acknowledgement_outlives_the_answers_until_the_newest_deadline() -> None:
    driver = Driver()
    driver.run(once(1, INCREMENT), once(2, INCREMENT, ack=1, deadline_ms=START_MS + 5))
    driver.now_ms = START_MS + 10
    assert driver.one(once(1, INCREMENT)) == f"-{rule.ACKNOWLEDGED.text}"


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (once(1, c.IncrBy(b"k", 2)), rule.REUSED),
        (once(1, INCREMENT, user=b"other"), rule.OTHER_USER),
        (once(2, INCREMENT, user=b"other"), rule.OTHER_USER),
        (once(18, INCREMENT, ack=1), rule.WINDOW_OVERFLOW),
        (once(2, INCREMENT, deadline_ms=START_MS + 3_600_001), rule.DEADLINE_TOO_FAR),
    ],
)
def test_what_is_wrong_is_named_and_does_nothing(wrong: c.Sequenced, refusal: Refusal) -> None:
    driver = Driver()
    driver.run(once(1, INCREMENT))
    before = dump(driver.space)[1:]
    assert driver.one(wrong) == f"-{refusal.text}"
    assert dump(driver.space)[1:] == before
    assert driver.one(once(2, INCREMENT)) == 2


def test_the_window_is_sixteen_answers() -> None:
    driver = Driver()
    batch = [once(sequence, INCREMENT) for sequence in range(1, 17)]
    answers = driver.run(*batch)
    assert answers == list(range(1, 17))
    assert driver.run(*reversed(batch)) == answers[::-1]


def test_a_large_answer_lies_in_a_row_of_its_own_until_it_is_acknowledged() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"v" * 1000))
    take = once(1, c.GetDel(b"k"))
    assert driver.run(take, take) == [b"v" * 1000] * 2
    answer_row = [key for key in session_rows(driver) if key.endswith(SESSION + bytes(7) + b"\1")]
    assert len(answer_row) == 1
    driver.run(once(2, INCREMENT, ack=1))
    assert answer_row[0] not in session_rows(driver)


def test_an_answer_above_the_limit_is_told_once_and_then_said_to_be_gone() -> None:
    driver = Driver(limit_bytes=1 << 20)
    driver.run(c.Set(b"k", b"v" * sessions.ANSWER_BYTES_MAX))
    take = once(1, c.GetDel(b"k"))
    assert driver.one(take) == b"v" * sessions.ANSWER_BYTES_MAX
    assert driver.one(take) == f"-{sessions.ANSWER_NOT_KEPT.text}"


def test_sessions_go_with_the_committed_clock_and_leave_no_row() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"v" * 1000), once(1, c.GetDel(b"k")), once(2, INCREMENT))
    assert driver.group.next_expiry_ms() == DEADLINE_MS
    driver.now_ms = DEADLINE_MS - 1
    driver.run(c.Tick())
    assert session_rows(driver)
    driver.now_ms = DEADLINE_MS
    driver.run(c.Tick())
    assert session_rows(driver) == []
    assert driver.group.next_expiry_ms() is None


def test_a_session_in_use_is_listed_anew_and_not_forgotten() -> None:
    driver = Driver()
    driver.run(once(1, INCREMENT), once(2, INCREMENT, deadline_ms=DEADLINE_MS + 500))
    driver.now_ms = DEADLINE_MS
    driver.run(c.Tick())
    assert driver.group.next_expiry_ms() == DEADLINE_MS + 500
    assert driver.one(once(2, INCREMENT, deadline_ms=DEADLINE_MS + 500)) == 2


def test_an_entry_forgets_a_bounded_number_of_sessions() -> None:
    driver = Driver()
    names = [number.to_bytes(16, "big") for number in range(200)]
    driver.run(*[once(1, INCREMENT, session=name) for name in names])
    driver.now_ms = DEADLINE_MS
    before = len(session_rows(driver))
    driver.run(c.Tick())
    assert before - len(session_rows(driver)) == 2 * (sessions.SWEEP_COUNT_MAX + 1)


def test_flushall_forgets_no_session() -> None:
    driver = Driver()
    driver.run(once(1, INCREMENT), c.FlushAll())
    assert driver.run(c.FlushAll(), once(1, INCREMENT), once(2, INCREMENT)) == ["OK", 1, 1]


def test_a_snapshot_brings_the_sessions_along() -> None:
    source, target = Driver(), Driver()
    source.run(once(1, INCREMENT), c.Set(b"j", b"v" * 1000), once(2, c.GetDel(b"j")))
    source.group.membership = MEMBERS
    view = source.group.view()
    target.group.begin_install()
    target.group.install_rows(view.rows())
    view.close()
    target.group.finish_install(Mark(Index(7), Term(1)), MEMBERS)
    assert target.run(once(1, INCREMENT), once(2, c.GetDel(b"j"))) == [1, b"v" * 1000]


@pytest.mark.parametrize(
    ("counts", "refusal"),
    [
        ({b"default": sessions.SESSIONS_PER_USER_MAX}, sessions.USER_FULL),
        ({b"other": sessions.SESSIONS_PER_SHARD_MAX}, sessions.SHARD_FULL),
    ],
)
def test_a_full_table_takes_no_new_session_and_keeps_the_old(
    counts: dict[bytes, int], refusal: Refusal
) -> None:
    driver = Driver()
    driver.run(once(1, INCREMENT))
    shard = shard_of_slot(slot_of(b"k"), 256).to_bytes(2, "big")
    driver.space.write({PREFIX + rows.KIND_SESSION + shard: rows.encode_row(counts)})
    newcomer = once(1, INCREMENT, session=bytes(16))
    assert driver.one(newcomer) == f"-{refusal.text}"
    assert driver.run(once(1, INCREMENT), once(2, INCREMENT)) == [1, 2]


def test_counts_follow_the_sessions_of_each_user() -> None:
    driver = Driver()
    driver.run(
        once(1, INCREMENT),
        once(1, INCREMENT, session=bytes(16), user=b"other", deadline_ms=START_MS + 5),
    )
    shard = PREFIX + rows.KIND_SESSION + shard_of_slot(slot_of(b"k"), 256).to_bytes(2, "big")
    assert driver.space.get(shard) == rows.encode_row({b"default": 1, b"other": 1})
    driver.now_ms = START_MS + 5
    driver.run(c.Tick())
    assert driver.space.get(shard) == rows.encode_row({b"default": 1})


def test_the_sessions_of_a_shard_are_one_range() -> None:
    driver = Driver()
    driver.group = Group(driver.space, GROUP, shards=10)
    for key in (b"k", b"other"):
        driver.run(once(1, c.Set(key, b""), key=key))
    lower = rows.KIND_SESSION + shard_of_slot(slot_of(b"k"), 10).to_bytes(2, "big")
    inside = [key for key in session_rows(driver) if key.startswith(lower)]
    assert [key[3:] for key in inside] == [b"", SESSION]
    assert Group(driver.space, GROUP).apply([]) == []


def test_the_clock_in_the_log_is_the_committed_one_and_a_reader_s_its_estimate() -> None:
    driver = Driver()
    assert driver.one(c.Clock()) == START_MS
    assert driver.read(c.Clock(), now_ms=START_MS + 7) == [START_MS + 7]
    assert driver.read(c.Clock(), now_ms=START_MS - 7) == [START_MS]


def test_a_machine_that_lasts_does_what_one_that_starts_again_each_time_does() -> None:
    lasting, restarted = Driver(), Driver()
    draw = Prng(7)
    for _ in range(400):
        number = draw.below(5)
        write = once(
            1 + draw.below(20),
            c.Append(b"k", b"%d" % number * draw.below(120)),
            ack=draw.below(6),
            session=bytes([number]) * 16,
            deadline_ms=lasting.now_ms + draw.below(40),
        )
        restarted = Driver(restarted.space)
        restarted.now_ms = lasting.now_ms = lasting.now_ms + draw.below(8)
        assert lasting.run(write) == restarted.run(write)
    assert dump(lasting.space) == dump(restarted.space)
