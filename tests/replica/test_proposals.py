"""Which requests share an entry."""

from collections.abc import Sequence

from hypothesis import given, settings, strategies as st

from pnyx.machine.commands import Batch, Get, Sequenced, Set, encode
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.proposals import LARGE_BYTES, drafted
from pnyx.replica.requests import Request

LIMITS = ReplicaLimits(batch_bytes=4 * LARGE_BYTES)
SIZES = (0, LARGE_BYTES - 1, LARGE_BYTES, 2 * LARGE_BYTES - 40, 5 * LARGE_BYTES)


def request(number: int, size: int | None) -> Request:
    if size is None:
        return Request(number, (Get(b"key"),), by_log=True, forward=True)
    put = Set(b"key", bytes(size))
    inner = Sequenced(1, bytes(16), b"user", 1, 0, 0, 0, put) if number % 2 else put
    return Request(number, (inner,), by_log=True, forward=True)


def encoded_and_halved(requests: Sequence[Request]) -> list[bytes]:
    commands = tuple(each for one in requests for each in one.commands)
    payload = encode(Batch(7, LIMITS.value_bytes, commands))
    if len(payload) <= LIMITS.batch_bytes or len(requests) == 1:
        return [payload]
    half = len(requests) // 2
    return encoded_and_halved(requests[:half]) + encoded_and_halved(requests[half:])


@settings(max_examples=60)
@given(st.lists(st.sampled_from((None, *SIZES)), min_size=1, max_size=9))
def test_values_seen_to_be_too_large_are_split_as_if_they_had_been_encoded(
    sizes: list[int | None],
) -> None:
    requests = [request(number, size) for number, size in enumerate(sizes)]
    entries = list(drafted(requests, 7, LIMITS))
    assert [one.payload for one in entries] == encoded_and_halved(requests)
    assert [each for one in entries for each in one.requests] == requests
