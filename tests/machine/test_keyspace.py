"""Changes over stored rows: the totals are those of the rows, always."""

from hypothesis import given, strategies as st

from machine.driving import dump
from pnyx.ids import GroupId
from pnyx.machine import rows
from pnyx.machine.keyspace import Keyspace
from pnyx.storage.memory import MemorySpace

PREFIX = rows.group_prefix(GroupId(1), 1)
KEYS = st.sampled_from([b"a", b"b", b"c", b"{a}1", b"{a}2"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.sampled_from([0, 0, 500, 900, 1_500])),
        st.tuples(st.just("discard"), KEYS, st.just(0)),
        st.tuples(st.just("expire"), KEYS, st.sampled_from([0, 700, 2_000])),
        st.tuples(st.just("begin"), st.just(b""), st.integers(0, 2_500)),
        st.tuples(st.sampled_from(["flush", "write"]), st.just(b""), st.just(0)),
    ),
    max_size=40,
)


def act(keyspace: Keyspace, space: MemorySpace, step: tuple[str, bytes, int]) -> None:
    what, key, number = step
    record = keyspace.record(key)
    if what == "put":
        keyspace.put(key, b"value", number)
    elif what == "discard":
        keyspace.discard(key)
    elif what == "expire" and record is not None:
        keyspace.set_expiry(record, number)
    elif what == "begin":
        keyspace.begin(number, 100, 1)
    elif what == "flush":
        keyspace.flush()
    elif what == "write":
        space.write(*keyspace.take_changes())


def totals_of(stored: list[tuple[bytes, bytes]]) -> tuple[int, int, int | None]:
    """Return the number of data rows, of expiry rows, and the earliest expiry."""
    data = [row for key, row in stored if key[8:9] == rows.KIND_DATA]
    expiries = [int.from_bytes(key[9:17], "big") for key, _ in stored if key[8:9] == b"\x02"]
    assert sorted(filter(None, map(rows.expiry_of, data))) == sorted(expiries)
    return len(data), len(expiries), min(expiries, default=None)


@given(STEPS)
def test_totals_and_the_earliest_expiry_are_exact_after_every_step(
    steps: list[tuple[str, bytes, int]],
) -> None:
    space = MemorySpace()
    keyspace = Keyspace(space, PREFIX, rows.Totals())
    keyspace.applying = True
    for step in steps:
        act(keyspace, space, step)
        copy = MemorySpace()
        copy.write(dict(dump(space)))
        drops = [(PREFIX, PREFIX + b"\xff")] if keyspace.flushed else []
        copy.write(keyspace.rows, drops)
        expected = (keyspace.keys, keyspace.expiring, keyspace.next_expiry_ms())
        assert totals_of(dump(copy)) == expected


@given(STEPS)
def test_a_walk_sees_changes_laid_over_what_is_stored(steps: list[tuple[str, bytes, int]]) -> None:
    space = MemorySpace()
    keyspace = Keyspace(space, PREFIX, rows.Totals())
    keyspace.applying = True
    for step in steps:
        act(keyspace, space, step)
    seen = list(keyspace.positions(0, rows.POSITION_END))
    space.write(*keyspace.take_changes())
    assert seen == list(keyspace.positions(0, rows.POSITION_END))
    assert seen == sorted(seen)
