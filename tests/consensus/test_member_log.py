"""Does the log keep its entries, terms and memberships right through cuts and compactions?"""

import msgspec
import pytest
from hypothesis import given, strategies as st

from pnyx.consensus.member.log import Log
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind, Mark
from pnyx.ids import Index, NodeId, Term
from raftworld import entries

THREE = Membership((NodeId(1), NodeId(2), NodeId(3)))
FIVE = Membership(tuple(NodeId(n) for n in range(1, 6)))


def log(*terms: int, compacted: Mark = Mark()) -> Log:  # noqa: B008
    return Log(THREE, compacted, entries(*terms, after=compacted.index))


def change(index: int, term: int, membership: Membership) -> Entry:
    payload = msgspec.msgpack.encode(membership)
    return Entry(Index(index), Term(term), EntryKind.MEMBERSHIP, payload)


def test_the_term_of_the_compacted_boundary_is_remembered() -> None:
    held = log(2, 2, 3)
    held.compact(Index(2))
    assert (held.term_at(Index(2)), held.term_at(Index(3)), held.term_at(Index(1))) == (2, 3, None)


def test_a_fully_compacted_log_still_knows_its_last_position() -> None:
    held = log(2, 2, 3)
    held.compact(Index(3))
    assert (held.last_index, held.last_term, len(held), held.bytes) == (3, 3, 0, 0)
    held.append(Entry(Index(4), Term(3), EntryKind.EMPTY, b""))
    assert held.term_at(Index(4)) == 3


def test_a_membership_is_in_force_as_soon_as_it_is_in_the_log() -> None:
    held = log(1)
    held.append(change(2, 1, FIVE))
    assert held.membership == FIVE


def test_cutting_the_log_brings_the_membership_before_back() -> None:
    held = log(1)
    held.append(change(2, 1, FIVE))
    held.append(change(3, 1, Membership((NodeId(1),))))
    held.cut(Index(3))
    assert held.membership == FIVE
    held.cut(Index(2))
    assert held.membership == THREE


def test_a_compacted_membership_stays_in_force() -> None:
    held = log(1)
    held.append(change(2, 1, FIVE))
    held.extend(entries(1, 2, after=2))
    held.compact(Index(3))
    held.cut(Index(4))
    assert held.membership == FIVE


def test_compacting_before_a_change_keeps_the_membership_it_would_fall_back_to() -> None:
    held = log(1, 1)
    held.append(change(3, 1, FIVE))
    held.compact(Index(2))
    held.cut(Index(3))
    assert held.membership == THREE


def test_a_gap_or_a_falling_term_is_our_own_bug() -> None:
    held = log(1, 2)
    with pytest.raises(AssertionError, match="no gaps"):
        held.append(Entry(Index(4), Term(2), EntryKind.EMPTY, b""))
    with pytest.raises(AssertionError, match="never fall"):
        held.append(Entry(Index(3), Term(1), EntryKind.EMPTY, b""))


def test_a_page_keeps_its_limits_but_is_never_empty() -> None:
    held = Log(THREE)
    for index, size in enumerate((10, 10, 100, 1), start=1):
        held.append(Entry(Index(index), Term(1), EntryKind.COMMANDS, b"x" * size))

    def sizes(after: int, entries_max: int, bytes_max: int) -> list[int]:
        page = held.page(Index(after), Index(4), entries_max, bytes_max)
        return [len(entry.payload) for entry in page]

    assert sizes(0, 9, 20) == [10, 10]
    assert sizes(0, 1, 999) == [10]
    assert sizes(2, 9, 5) == [100]
    assert sizes(4, 9, 5) == []


@given(
    st.lists(st.integers(1, 4), max_size=12).map(sorted),
    st.integers(0, 12),
    st.integers(0, 5),
    st.integers(0, 14),
)
def test_walking_back_by_terms_finds_what_a_walk_entry_by_entry_finds(
    terms: list[int], compacted: int, term: int, index: int
) -> None:
    held = log(*terms)
    start = min(compacted, len(terms))
    held.compact(Index(start))
    found = held.highest_with_term_up_to(Term(term), Index(index))
    walk = [at for at in range(start, min(index, len(terms)) + 1) if ([0, *terms])[at] <= term]
    assert (found.index if found else None) == (max(walk) if walk else None)


@given(
    st.lists(st.integers(1, 3), max_size=8).map(sorted),
    st.lists(st.integers(1, 3), max_size=8).map(sorted),
    st.integers(0, 4),
)
def test_a_conflict_is_the_first_entry_that_differs(
    ours: list[int], theirs: list[int], common: int
) -> None:
    shared = min(common, len(ours))
    held = log(*ours)
    terms = sorted([*theirs, ours[shared - 1]]) if shared else theirs
    if shared and terms[0] < ours[shared - 1]:
        return
    message = entries(*terms, after=shared)
    differing = [e.index for e in message if held.term_at(e.index) not in (None, e.term)]
    # Logs of one run obey Log Matching; skip the pairs that could not occur.
    matching = [e.index for e in message if held.term_at(e.index) == e.term]
    if differing and matching and max(matching) > min(differing):
        return
    assert held.first_conflict(message) == (min(differing) if differing else None)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=40))
def test_bytes_and_terms_are_right_after_any_sequence_of_changes(
    steps: list[tuple[int, int]],
) -> None:
    held, model, start, term = Log(THREE), [Mark()], 0, 1
    for kind, number in steps:
        last = model[-1].index
        if kind == 0:
            term += number % 2
            held.append(Entry(Index(last + 1), Term(term), EntryKind.COMMANDS, b"x" * number))
            model.append(Mark(Index(last + 1), Term(term)))
        elif kind == 1 and last > start:
            held.cut(cut := Index(start + 1 + number % (last - start)))
            model = [mark for mark in model if mark.index < cut]
            term = max(term, 1)
        elif kind == 2:
            start = start + number % (last - start + 1)
            held.compact(Index(start))
    assert [held.term_at(m.index) for m in model if m.index >= start] == [
        m.term for m in model if m.index >= start
    ]
    assert held.bytes == held.bytes_between(held.compacted.index, held.last_index)
    assert held.last_term == model[-1].term
