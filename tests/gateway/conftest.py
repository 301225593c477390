from collections.abc import Iterator

import pytest

from gateway.running import Running, running


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One gateway for the tests of a file that only need its defaults; each empties it first."""
    with running() as one:
        yield one


@pytest.fixture
def gateway(shared: Running) -> Running:
    shared.store.leader = shared.store.topology().me
    shared.store.quorum = True
    shared.store.other_votes = True
    shared.store.answer = None
    connection = shared.connect()
    assert connection.ask(b"FLUSHALL") == b"+OK\r\n"
    connection.close()
    return shared
