"""Retries, duplicates and reorderings against an oracle that remembers everything for ever."""

from dataclasses import dataclass, field

from hypothesis import given, settings, strategies as st

from machine.driving import START_MS, Driver
from machine.sessions import once
from pnyx.machine import commands as c
from pnyx.machine.commands import Batch, Sequenced, decode, encode

KEYS = (b"a", b"b")
WRITES = st.one_of(
    st.builds(c.Append, st.sampled_from(KEYS), st.sampled_from([b"x", b"y" * 90])),
    st.builds(c.IncrBy, st.sampled_from(KEYS), st.integers(1, 3)),
    st.builds(c.GetDel, st.sampled_from(KEYS)),
)
LIVES_MS = (1, 40, 100, 1_000, 4_000_000)
SENDS = st.builds(
    lambda session, sequence, lag, write: once(
        sequence,
        write,
        ack=max(sequence - lag, 0),
        session=bytes([session]) * 16,
        # Retries never change the deadline: it belongs to the sequence.
        deadline_ms=START_MS + LIVES_MS[(session + sequence) % len(LIVES_MS)],
    ),
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(0, 20),
    WRITES,
)
STORY = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 39, 60, 500]), st.lists(st.integers(0, 11), max_size=8)),
    max_size=15,
)


@dataclass
class Oracle:
    """Every write ever done, by session and sequence, with its answer."""

    done: dict[tuple[bytes, int], tuple[int, object]] = field(default_factory=dict)
    values: Driver = field(default_factory=Driver)
    """A machine that is told each write once, without its session."""

    def judge(self, send: Sequenced, answer: object, now_ms: int) -> None:
        """Check one answer; what was done is done here too."""
        name = (send.session, send.sequence)
        refused = isinstance(answer, str) and answer.startswith(("-UNKNOWN", "-ERR PX"))
        if now_ms >= send.deadline_ms or (send.sequence <= send.ack and name not in self.done):
            assert refused, "late and acknowledged writes are not done"
        if refused:
            return
        if name in self.done:
            assert self.done[name] == (send.digest, answer), "the first answer, and no other"
        else:
            self.values.now_ms = now_ms
            assert answer == self.values.one(send.command), "the first time it is as without"
            self.done[name] = (send.digest, answer)


@settings(max_examples=250)
@given(st.lists(SENDS, min_size=12, max_size=12), STORY, st.sampled_from([1, 3]))
def test_any_order_of_duplicates_has_each_effect_at_most_once(
    sends: list[Sequenced], story: list[tuple[int, list[int]]], restart_every: int
) -> None:
    driver, oracle = Driver(), Oracle()
    for step, (pause_ms, picks) in enumerate(story):
        driver.now_ms += pause_ms
        batch = [sends[pick] for pick in picks]
        for send, answer in zip(batch, driver.run(*batch), strict=True):
            oracle.judge(send, answer, driver.now_ms)
        if step % restart_every == 0:
            driver.group = type(driver.group)(driver.space, driver.group._group)
    for key in KEYS:
        assert driver.one(c.Get(key)) == oracle.values.one(c.Get(key))


@settings(max_examples=100)
@given(SENDS)
def test_a_sequenced_write_survives_the_log(send: Sequenced) -> None:
    batch = Batch(1, 2, (send, c.Transaction((c.Get(b"a"),))))
    assert decode(encode(batch)) == batch
