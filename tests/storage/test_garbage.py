"""When rows in blob files are written anew."""

from pnyx.storage.garbage import (
    GARBAGE_AGE_SHARE,
    GARBAGE_BYTES_LEAST,
    GARBAGE_PATIENCE,
    Garbage,
)

ROOM = 4 * GARBAGE_BYTES_LEAST


def test_a_third_switches_it_on_and_a_fifth_off() -> None:
    garbage = Garbage()
    assert not garbage.flushed(ROOM, ROOM * 32 // 100)
    assert garbage.age_share == 0.0
    assert garbage.flushed(ROOM, ROOM * 34 // 100)
    assert garbage.age_share == GARBAGE_AGE_SHARE
    assert not garbage.flushed(ROOM, ROOM * 26 // 100)
    assert garbage.flushed(5 * ROOM, 5 * ROOM * 19 // 100)
    assert garbage.age_share == 0.0


def test_a_little_garbage_is_left_alone() -> None:
    garbage = Garbage()
    assert not garbage.flushed(GARBAGE_BYTES_LEAST, GARBAGE_BYTES_LEAST)
    assert garbage.age_share == 0.0


def test_more_files_are_old_when_garbage_does_not_become_less() -> None:
    garbage = Garbage()
    shares = []
    for _ in range(1 + 3 * GARBAGE_PATIENCE):
        garbage.flushed(ROOM, ROOM // 2)
        shares.append(garbage.age_share)
    assert shares[0] == shares[GARBAGE_PATIENCE - 1] == 0.25
    assert shares[GARBAGE_PATIENCE] == 0.5
    assert shares[2 * GARBAGE_PATIENCE] == shares[-1] == 1.0


def test_files_stay_as_old_while_garbage_becomes_a_smaller_part() -> None:
    garbage = Garbage()
    for number in range(10 * GARBAGE_PATIENCE):
        # More of it, for there is more of everything.
        room = ROOM + number * ROOM // 100
        garbage.flushed(room, int(room * (0.5 - number / 1000)))
        assert garbage.age_share == GARBAGE_AGE_SHARE
