"""Equal entries give equal bytes: however they are batched, streamed or interrupted."""

from hypothesis import given, settings, strategies as st

from machine.driving import GROUP, LIMIT_BYTES, MEMBERS, dump, pair
from machine.sessions import once
from pnyx.consensus.ready import Mark
from pnyx.ids import Index, Term
from pnyx.machine import commands as c
from pnyx.machine.commands import AnyCommand, Batch
from pnyx.machine.group import Group
from pnyx.machine.results import Result
from pnyx.storage.memory import MemorySpace
from properties.test_machine_model import COMMANDS

WATCHED = st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.integers(0, 9)), max_size=1)
ALONE = COMMANDS | st.builds(
    c.Transaction, st.lists(COMMANDS, max_size=4).map(tuple), WATCHED.map(tuple)
)
ANY = ALONE | st.builds(
    lambda sequence, lag, life, command: once(
        sequence, command, ack=max(sequence - lag, 0), deadline_ms=1_000_000 + life
    ),
    st.integers(1, 20),
    st.integers(1, 18),
    st.sampled_from([1, 60, 100, 1_000]),
    ALONE,
)
LOG = st.lists(
    st.builds(
        Batch,
        st.sampled_from([1_000_000, 1_000_040, 1_000_100, 1_000_101]),
        st.just(LIMIT_BYTES),
        st.lists(ANY, max_size=5).map(tuple),
    ),
    min_size=1,
    max_size=12,
)


def apply(group: Group, log: list[Batch], sizes: list[int]) -> list[list[Result]]:
    """Apply the rest of the log in pieces of these sizes, then of one."""
    results: list[list[Result]] = []
    rest = iter([*sizes, *[1] * len(log)])
    while (start := group.applied.index) < len(log):
        piece = log[start : start + next(rest)]
        results += group.apply([pair(start + 1 + at, batch) for at, batch in enumerate(piece)])
    return results


@settings(max_examples=80)
@given(LOG, st.lists(st.integers(1, 5), max_size=6))
def test_any_batching_of_the_same_entries_gives_the_same_bytes(
    log: list[Batch], sizes: list[int]
) -> None:
    one_by_one, in_pieces = MemorySpace(), MemorySpace()
    expected = apply(Group(one_by_one, GROUP), log, [])
    assert apply(Group(in_pieces, GROUP), log, sizes) == expected
    assert dump(in_pieces) == dump(one_by_one)


@settings(max_examples=60)
@given(LOG, st.lists(st.integers(1, 5), max_size=6), st.integers(0, 12))
def test_a_crash_at_any_write_leaves_a_state_from_which_replay_ends_the_same(
    log: list[Batch], sizes: list[int], kept: int
) -> None:
    space = MemorySpace()
    apply(Group(space, GROUP), log, sizes)
    left = space.crash(kept)
    apply(Group(left, GROUP), log, [])
    assert dump(left) == dump(space)


@settings(max_examples=60)
@given(LOG, st.integers(0, 12))
def test_a_snapshot_anywhere_in_the_log_equals_replaying_it(log: list[Batch], cut: int) -> None:
    cut = min(cut, len(log))
    replayed, streamed = MemorySpace(), MemorySpace()
    source, target = Group(replayed, GROUP), Group(streamed, GROUP)
    source.membership = MEMBERS
    apply(source, log[:cut], [])
    if cut:
        view = source.view()
        target.begin_install()
        target.install_rows(view.rows())
        target.finish_install(Mark(Index(cut), Term(1)), MEMBERS)
        view.close()
    assert apply(target, log, []) == apply(source, log, [])
    assert [(key[8:], row) for key, row in dump(streamed)[1:]] == [
        (key[8:], row) for key, row in dump(replayed)[1:]
    ]


@settings(max_examples=60)
@given(LOG, st.lists(COMMANDS, max_size=5), st.sampled_from([0, 39, 60, 200]))
def test_a_read_answers_what_the_log_would_or_leaves_it_to_the_log(
    log: list[Batch], questions: list[AnyCommand], later: int
) -> None:
    group = Group(MemorySpace(), GROUP)
    apply(group, log, [])
    now = group.clock_ms + later
    reads = [command for command in questions if not command.writes]
    answers = group.read(reads, now)
    group.apply([pair(len(log) + 1, Batch(now, LIMIT_BYTES, tuple(reads)))])
    if answers is not None:
        sizes = [n for n, command in enumerate(reads) if isinstance(command, c.DbSize)]
        agreed = group.read(reads, now)
        assert agreed is not None
        # DBSIZE counts rows, and the entry swept those that are due.
        assert [a for n, a in enumerate(answers) if n not in sizes] == [
            a for n, a in enumerate(agreed) if n not in sizes
        ]
