"""Walking over keys: nothing twice, nothing missed, bounded pages."""

import pytest

from machine.driving import START_MS, Driver
from pnyx.machine import commands as c, scan
from pnyx.machine.glob import PATTERN_BYTES_MAX
from pnyx.machine.slots import slot_of

KEYS = [b"key:%d" % n for n in range(100)]


def filled() -> Driver:
    driver = Driver()
    driver.run(c.MSet(tuple((key, b"1") for key in KEYS)))
    return driver


def page(driver: Driver, command: c.Scan) -> tuple[int, list[bytes]]:
    results = driver.read(command)
    assert results is not None
    result = results[0]
    assert isinstance(result, list)
    cursor, keys = result
    return int(cursor), keys


def walked(
    driver: Driver, count: int, pattern: bytes | None = None, cursor: int = 0
) -> list[bytes]:
    following, found = page(driver, c.Scan(cursor, pattern, count))
    return found + walked(driver, count, pattern, following) if following else found


@pytest.mark.parametrize("count", [1, 7, 100, 1000])
def test_a_scan_returns_every_key_once(count: int) -> None:
    driver = filled()
    assert sorted(walked(driver, count)) == sorted(KEYS)
    assert sorted(walked(driver, count, b"key:?")) == sorted(KEYS[:10])


def test_a_key_that_stays_is_returned_whatever_comes_and_goes() -> None:
    driver = filled()
    cursor, found = page(driver, c.Scan(0, count=10))
    driver.run(c.Del(tuple(found)), c.MSet(tuple((b"new:%d" % n, b"") for n in range(50))))
    found += walked(driver, 10, cursor=cursor)
    assert set(KEYS) <= set(found)
    assert len(found) == len(set(found))


def test_keys_at_one_position_are_never_split_over_two_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pnyx.machine.rows.xxh3_64_digest", lambda _: bytes(8))
    driver = Driver()
    keys = tuple(b"{tag}%d" % n for n in range(20))
    driver.run(c.MSet(tuple((key, b"") for key in keys)), c.Set(b"{tog}", b""))
    assert slot_of(b"{tag}") != slot_of(b"{tog}")
    sizes = {len(walked(driver, 1)), len(page(driver, c.Scan(0, count=1))[1])}
    assert sizes <= {21, 20, 1}
    assert sorted(walked(driver, 1)) == sorted([*keys, b"{tog}"])


def test_a_page_is_bounded_whatever_its_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "SCAN_COUNT_MAX", 8)
    cursor, keys = page(filled(), c.Scan(0, count=1 << 62))
    assert (len(keys), cursor > 0) == (8, True)


def test_a_page_and_a_list_of_keys_end_where_values_are_large() -> None:
    value = b"v" * (1024 * 1024)
    keys = [b"{t}%d" % number for number in range(scan.LOOKED_BYTES_MAX // len(value) + 1)]
    driver = Driver()
    driver.run(*[c.Set(key, value) for key in keys])
    cursor, first = page(driver, c.Scan(0, count=1_000))
    assert 1 <= len(first) <= scan.SCAN_LOOKED_BYTES_MAX // len(value)
    assert sorted(first + walked(driver, 1_000, cursor=cursor)) == sorted(keys)
    slot = slot_of(b"{t}")
    assert driver.group.read([c.Keys(b"*"), c.SlotCount(slot)], START_MS) == [
        scan.KEYS_TOO_LARGE,
        scan.SLOT_REFUSED,
    ]
    driver.run(c.Del((keys[0], keys[1])))
    assert driver.read(c.SlotCount(slot)) == [len(keys) - 2]


def test_a_cursor_beyond_all_positions_ends_the_scan() -> None:
    for cursor in ((1 << 62), (1 << 64) - 1, 1 << 70):
        assert page(filled(), c.Scan(cursor)) == (0, [])


def test_only_strings_have_a_type_to_scan_for() -> None:
    driver = filled()
    assert len(page(driver, c.Scan(0, count=1000, type_name=b"STRING"))[1]) == 100
    assert page(driver, c.Scan(0, count=1000, type_name=b"hash")) == (0, [])


def test_keys_and_scan_in_an_entry_see_what_the_entry_changed() -> None:
    driver = filled()
    keep = KEYS[3]
    results = driver.run(
        c.Del(tuple(key for key in KEYS if key != keep)),
        c.Set(b"new", b""),
        c.Keys(b"*"),
        c.Scan(0),
        c.Set(keep, b"2"),
        c.Keys(b"*"),
    )
    assert sorted(results[2]) == sorted(results[5]) == [keep, b"new"]  # type: ignore[call-overload]
    assert results[3] == [b"0", results[2]]


def test_keys_is_refused_above_its_limit_and_names_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = filled()
    monkeypatch.setattr(scan, "KEYS_COUNT_MAX", 100)
    assert len(driver.run(c.Keys(b"*"))[0]) == 100  # type: ignore[arg-type]
    driver.run(c.Set(b"one more", b""))
    assert driver.one(c.Keys(b"nothing")) == f"-{scan.KEYS_REFUSED.text}"
    assert "SCAN" in scan.KEYS_REFUSED.text


def test_a_pattern_of_unreasonable_length_is_refused() -> None:
    driver = filled()
    long = b"*" * (PATTERN_BYTES_MAX + 1)
    refused = f"-{scan.PATTERN_REFUSED.text}"
    assert driver.run(c.Keys(long), c.Scan(0, long)) == [refused, refused]


def page_of(driver: Driver, command: c.Scan) -> tuple[bytes, list[object]]:
    result = driver.one(command)
    assert isinstance(result, list), result
    return result[0], result[1]


COSTLY = b"*" + b"a?" * 150 + b"*"


def test_wildcards_that_would_hold_the_loop_end_a_page_and_refuse_keys() -> None:
    driver = Driver()
    keys = [b"a" * 20_000 + b"%d" % n for n in range(5)]
    driver.run(*(c.Set(key, b"") for key in keys))
    assert driver.one(c.Keys(COSTLY)) == f"-{scan.STEPS_REFUSED.text}"
    cursor, found = page_of(driver, c.Scan(0, COSTLY, 100))
    for _ in keys[1:]:
        assert cursor != b"0"
        cursor, page = page_of(driver, c.Scan(int(cursor), COSTLY, 100))
        found += page
    assert cursor == b"0"
    assert len(found) == len(set(found)) == len(keys)


def test_wildcards_that_would_hold_the_loop_with_one_key_are_refused() -> None:
    driver = Driver()
    driver.run(c.Set(b"a" * 40_000, b""))
    refused = f"-{scan.STEPS_REFUSED.text}"
    assert driver.run(c.Keys(COSTLY), c.Scan(0, COSTLY)) == [refused, refused]


def test_a_page_ends_after_so_many_bytes_of_keys() -> None:
    driver = Driver()
    driver.run(*(c.Set(b"%d" % n + bytes(scan.SCAN_BYTES_MAX), b"") for n in range(3)))
    cursor, found = page_of(driver, c.Scan(0, None, 100))
    assert cursor != b"0"
    assert len(found) == 1


def test_randomkey_reaches_every_key_and_only_living_ones() -> None:
    driver = Driver()
    assert driver.one(c.RandomKey(5)) is None
    driver.run(c.MSet(tuple((key, b"") for key in KEYS[:5])))
    drawn = {driver.one(c.RandomKey(draw << 44)) for draw in range(0, 1 << 18, 97)}
    assert drawn == set(KEYS[:5])


def test_a_slot_knows_its_keys() -> None:
    driver = filled()
    driver.run(c.MSet(tuple((b"{a}%d" % n, b"") for n in range(5))))
    slot = slot_of(b"{a}")
    mine = [key for key in KEYS if slot_of(key) == slot] + [b"{a}%d" % n for n in range(5)]
    assert driver.one(c.SlotCount(slot)) == len(mine)
    assert sorted(driver.run(c.SlotKeys(slot, 100))[0]) == sorted(mine)  # type: ignore[call-overload]
    assert len(driver.run(c.SlotKeys(slot, 2))[0]) == 2  # type: ignore[arg-type]
