"""Commands that a group has no room for in an entry are asked again, in order, and in turn."""

from collections.abc import Iterator
from itertools import count

import pytest

from gateway.running import Running, running
from pnyx.machine import moving
from pnyx.machine.holdings import LATER, WRONG_SHARD
from pnyx.machine.shards import shard_of_slot
from pnyx.machine.slots import slot_of
from pnyx.replica.requests import Done


@pytest.fixture
def gateway() -> Iterator[Running]:
    with running(groups=2) as one:
        one.store.keeps_submitted = True
        yield one


def key_of(group: int) -> bytes:
    return next(k for at in count() if shard_of_slot(slot_of(k := b"k%d" % at), 2) == group - 1)


A, B = key_of(1), key_of(2)


@pytest.mark.parametrize("keys", [(A, A, B), (A, A, A)])
def test_a_pipeline_that_is_too_much_for_an_entry_is_done_in_order_over_many(
    keys: tuple[bytes, ...], gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "LOOKED_BYTES_MAX", 2_000)
    appended = [(key, b"x" * 100) for key in keys * 20]
    words = [*((b"APPEND", *each) for each in appended), (b"STRLEN", A), (b"DEL", A, B)]
    told = gateway.connect().ask_all(words)
    lengths = dict.fromkeys(keys, 0)
    for (key, value), reply in zip(appended, told, strict=False):
        lengths[key] += len(value)
        assert reply == b":%d\r\n" % lengths[key]
    assert told[60:] == [b":%d\r\n" % lengths[A], b":%d\r\n" % len(lengths)]
    assert len(gateway.store.submitted) > 20


def test_reads_that_are_too_much_for_a_request_are_answered_over_many(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "LOOKED_BYTES_MAX", 2_000)
    client = gateway.connect()
    client.ask_all([(b"SET", key, key * 200) for key in (A, B)])
    gateway.store.submitted.clear()
    assert client.ask_all([(b"STRLEN", A), (b"STRLEN", B)] * 30) == [b":400\r\n"] * 60
    assert len(gateway.store.submitted) > 10


def test_who_comes_behind_a_pipeline_that_is_too_much_has_the_next_turn(gateway: Running) -> None:
    """The pipeline asked again at once, came first again, and the other waited for its end."""
    of_one_entry = [Done((0, LATER, LATER, LATER)), Done((LATER,))]
    gateway.store.answer = lambda _: of_one_entry.pop(0) if of_one_entry else None
    gateway.store.is_held = True
    heavy, other = gateway.connect(), gateway.connect()
    heavy.send_all([(b"PERSIST", A)] * 4)
    gateway.wait_for(lambda: gateway.store.waiting == 1)
    other.send(b"INCR", A)
    gateway.wait_for(lambda: gateway.store.waiting == 2)
    gateway.store.submitted.clear()
    gateway.on_loop(gateway.store.release)
    assert other.reply() == b":1\r\n"
    assert [heavy.reply() for _ in range(4)] == [b":0\r\n"] * 4
    assert [len(request.commands) for request in gateway.store.submitted] == [1, 3]


def test_what_is_put_off_behind_a_refused_one_does_not_overtake_it(gateway: Running) -> None:
    """They may be of one slot: both are asked again when it is time for the first."""
    wrong = Done((1, WRONG_SHARD, LATER, LATER))
    once = [wrong]
    gateway.store.answer = lambda _: once.pop() if once else None
    told = gateway.connect().ask_all([(b"APPEND", A, b"%d" % number) for number in range(4)])
    assert told == [b":1\r\n", b":1\r\n", b":2\r\n", b":3\r\n"]
    assert [len(request.commands) for request in gateway.store.submitted] == [4, 3]
