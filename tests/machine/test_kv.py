"""Commands on keys as such."""

from machine.driving import Driver
from pnyx.machine import commands as c
from pnyx.machine.commands import Condition, Expiry

LATER = Expiry(100, relative=True)


def test_a_deleted_key_counts_once_and_an_existing_one_each_time() -> None:
    driver = Driver()
    driver.run(c.MSet(((b"a", b"1"), (b"b", b"2"))))
    assert driver.one(c.Exists((b"a", b"a", b"x", b"b"))) == 3
    assert driver.run(c.Del((b"a", b"a", b"x")), c.DbSize()) == [1, 1]


def test_delex_deletes_only_what_it_was_told_to() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"1"))
    assert driver.one(c.DelEx(b"k", Condition.EQUAL, b"2")) == 0
    assert driver.one(c.DelEx(b"k", Condition.DIFFERENT, b"1")) == 0
    assert driver.one(c.DelEx(b"k", Condition.EQUAL, b"1")) == 1
    assert driver.one(c.DelEx(b"k", Condition.DIFFERENT, b"1")) == 0
    driver.run(c.Set(b"k", b"1"))
    assert driver.run(c.DelEx(b"k"), c.DelEx(b"k")) == [1, 0]


def test_a_renamed_key_takes_its_expiry_along_and_the_destination_loses_its_own() -> None:
    driver = Driver()
    driver.run(c.Set(b"a", b"1", LATER), c.Set(b"b", b"2"), c.Set(b"z", b"9", LATER))
    assert driver.run(c.Rename(b"a", b"b"), c.Ttl(b"b", False), c.Get(b"b")) == ["OK", 100, b"1"]
    driver.run(c.Set(b"a", b"1"))
    assert driver.run(c.Rename(b"a", b"z"), c.Ttl(b"z", False)) == ["OK", -1]
    assert driver.one(c.KeyspaceStats()) == [2, 1]


def test_rename_needs_a_source_and_renamenx_a_free_destination() -> None:
    driver = Driver()
    assert driver.one(c.Rename(b"x", b"x")) == "-ERR no such key"
    driver.run(c.MSet(((b"a", b"1"), (b"b", b"2"))))
    assert driver.one(c.Rename(b"a", b"b", absent=True)) == 0
    assert driver.run(c.Rename(b"a", b"a"), c.Rename(b"a", b"a", absent=True)) == ["OK", 0]
    assert driver.run(c.Rename(b"a", b"c", absent=True), c.Exists((b"a", b"c"))) == [1, 1]


def test_copy_takes_value_and_expiry_and_leaves_the_source() -> None:
    driver = Driver()
    driver.run(c.Set(b"a", b"1", LATER), c.Set(b"b", b"2"))
    assert driver.one(c.Copy(b"a", b"b")) == 0
    assert driver.run(c.Copy(b"a", b"b", replace=True), c.Get(b"b")) == [1, b"1"]
    assert driver.run(c.Ttl(b"a", False), c.Ttl(b"b", False)) == [100, 100]
    assert driver.one(c.Copy(b"x", b"y")) == 0
    same = "-ERR source and destination objects are the same"
    assert driver.one(c.Copy(b"a", b"a", replace=True)) == same


def test_type_and_encoding_are_a_strings() -> None:
    driver = Driver()
    driver.run(c.MSet(((b"n", b"-12"), (b"s", b"x" * 44), (b"l", b"x" * 45))))
    assert driver.run(c.Type(b"n"), c.Type(b"x")) == ["string", "none"]
    keys = (b"n", b"s", b"l", b"x")
    assert driver.run(*[c.Encoding(key) for key in keys]) == [b"int", b"embstr", b"raw", None]


def test_memory_usage_is_the_size_of_the_row() -> None:
    driver = Driver()
    driver.run(c.Set(b"key", b"value"), c.Set(b"due", b"value", LATER))
    rows = {key[-3:]: len(key) + len(value) for key, value in driver.space.scan(b"", b"\xff")}
    assert driver.run(c.MemoryUsage(b"key"), c.MemoryUsage(b"x")) == [rows[b"key"], None]
    assert driver.one(c.MemoryUsage(b"due")) == len(b"due" + b"value") + 9 + 8 + 17


def test_flushall_deletes_what_is_stored_and_what_is_new_but_nothing_after_it() -> None:
    driver = Driver()
    driver.run(c.Set(b"stored", b"1", LATER))
    driver.run(c.Set(b"new", b"1"), c.FlushAll(), c.Get(b"stored"), c.Set(b"after", b"1"))
    keys = (b"stored", b"new", b"after")
    assert driver.run(c.MGet(keys), c.KeyspaceStats()) == [[None, None, b"1"], [1, 0]]
    assert driver.group.next_expiry_ms() is None


def test_a_key_that_is_named_often_is_looked_at_once() -> None:
    driver = Driver()
    driver.run(c.Set(b"k", b"v" * 60))
    assert driver.one(c.Exists((b"k",) * 1_000)) == 1_000
    assert driver.group._keyspace.looked_bytes < 100
