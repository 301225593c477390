"""What redis-py with numbers says of a write that a node refuses after an attempt in doubt."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import hiredis
import pytest
from redis import ConnectionPool
from redis.asyncio import ConnectionPool as AsyncPool
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, ResponseError
from redis.retry import Retry

from pnyx.client.redispy import may_try_again, named
from pnyx.machine.once import DEADLINE_TOO_FAR, OTHER_USER
from pnyx.machine.sessions import SHARD_FULL
from pnyx.redis import OutcomeUnknown, Redis
from pnyx.redis.asyncio import Redis as AsyncRedis
from pnyx.transport.numbering import Number

COMMANDS = (
    b"*2\r\n*6\r\n$6\r\nincrby\r\n:3\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n"
    b"*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n"
)
SESSION = b"*4\r\n$32\r\n" + b"f" * 32 + b"\r\n:1000\r\n:3600000\r\n:16\r\n"
LOST = b""
"""The node dies under the write."""


@dataclass
class Node:
    """Answers like a node; writes as it is told to, the last way again and again."""

    answers: list[bytes]
    seen: list[bytes] = field(default_factory=list)
    """The prefixes of all writes."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        reader = hiredis.Reader()
        with peer, suppress(OSError):
            while data := peer.recv(65_536):
                reader.feed(data)
                while (words := reader.gets()) is not False:
                    answer = self._answer([bytes(word) for word in words])
                    if answer is None:
                        return
                    peer.sendall(answer)

    def _answer(self, words: Sequence[bytes]) -> bytes | None:
        match words[0].upper():
            case b"COMMAND":
                return COMMANDS
            case b"PNYX.SESSION":
                return SESSION
            case b"PNYX.SEQ":
                self.seen.append(b" ".join(words[1:3]))
                return LOST
            case b"INCRBY":
                is_last = len(self.answers) == 1
                return (self.answers[0] if is_last else self.answers.pop(0)) or None
            case _:
                return b"+OK\r\n"


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node([])
    yield made
    made.close()


def error(text: str) -> bytes:
    return f"-{text}\r\n".encode()


REFUSALS = [error(refusal.text) for refusal in (DEADLINE_TOO_FAR, SHARD_FULL, OTHER_USER)]


def blocking(port: int) -> Any:
    with Redis(port=port, protocol=2, once_timeout_s=0.2, retry=Retry(NoBackoff(), 1)) as client:
        return client.incr("k")


def piped(port: int) -> Any:
    with Redis(port=port, protocol=2, once_timeout_s=0.2, retry=Retry(NoBackoff(), 1)) as client:
        return client.pipeline(transaction=False).incr("k").execute()[0]


def on_asyncio(port: int) -> Any:
    async def ask() -> Any:
        retry = AsyncRetry(NoBackoff(), 1)
        async with AsyncRedis(port=port, protocol=2, once_timeout_s=0.2, retry=retry) as client:
            return await client.incr("k")

    return asyncio.run(ask())


def piped_on_asyncio(port: int) -> Any:
    async def ask() -> Any:
        retry = AsyncRetry(NoBackoff(), 1)
        async with AsyncRedis(port=port, protocol=2, once_timeout_s=0.2, retry=retry) as client:
            queue: Any = client.pipeline(transaction=False)
            return (await queue.incr("k").execute())[0]

    return asyncio.run(ask())


def on_one_connection(port: int) -> Any:
    retry = Retry(NoBackoff(), 1)
    with Redis(
        port=port, protocol=2, once_timeout_s=0.2, retry=retry, single_connection_client=True
    ) as client:
        return client.incr("k")


def on_one_connection_on_asyncio(port: int) -> Any:
    async def ask() -> Any:
        retry = AsyncRetry(NoBackoff(), 1)
        async with AsyncRedis(
            port=port, protocol=2, once_timeout_s=0.2, retry=retry, single_connection_client=True
        ) as client:
            return await client.incr("k")

    return asyncio.run(ask())


def from_url(port: int) -> Any:
    url = f"redis://127.0.0.1:{port}"
    retry = Retry(NoBackoff(), 1)
    with Redis.from_url(url, protocol=2, once_timeout_s=0.2, retry=retry) as client:
        return client.incr("k")


def from_url_on_asyncio(port: int) -> Any:
    async def ask() -> Any:
        url = f"redis://127.0.0.1:{port}"
        retry = AsyncRetry(NoBackoff(), 1)
        async with AsyncRedis.from_url(url, protocol=2, once_timeout_s=0.2, retry=retry) as client:
            return await client.incr("k")

    return asyncio.run(ask())


FACES = [
    from_url,
    from_url_on_asyncio,
    blocking,
    piped,
    on_asyncio,
    piped_on_asyncio,
    on_one_connection,
    on_one_connection_on_asyncio,
]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_after_a_lost_attempt_leaves_the_outcome_unknown(
    node: Node, face: Any, refusal: bytes
) -> None:
    node.answers += [LOST, refusal]
    with pytest.raises(OutcomeUnknown):
        face(node.port)
    assert len(node.seen) > 2
    assert len(set(node.seen)) == 1


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_of_the_only_attempt_is_told_at_once(
    node: Node, face: Any, refusal: bytes
) -> None:
    node.answers += [refusal]
    with pytest.raises((ResponseError, NoPermissionError), match="nothing was done"):
        face(node.port)
    assert len(node.seen) == 1


@pytest.mark.parametrize("face", FACES)
def test_an_answer_that_comes_after_a_refusal_is_the_writes_own(node: Node, face: Any) -> None:
    node.answers += [LOST, REFUSALS[0], b":7\r\n"]
    assert face(node.port) == 7
    assert len(node.seen) == 3


def test_connections_that_a_pool_has_already_are_not_used_for_writes(node: Node) -> None:
    node.answers += [b":7\r\n"]
    pool = ConnectionPool(port=node.port, protocol=2)
    pool.release(pool.get_connection())
    with Redis.from_pool(pool) as client:
        assert client.incr("k") == 7
    assert len(node.seen) == 1


def test_connections_that_an_asyncio_pool_has_already_are_not_used_for_writes(node: Node) -> None:
    node.answers += [b":7\r\n"]

    async def ask() -> None:
        pool = AsyncPool(port=node.port, protocol=2)
        used = await pool.get_connection()  # type: ignore[no-untyped-call]
        await used.disconnect()
        await pool.release(used)
        async with AsyncRedis.from_pool(pool) as client:
            assert await client.incr("k") == 7

    asyncio.run(ask())
    assert len(node.seen) == 1


@pytest.mark.parametrize(
    ("text", "is_before"), [("ERR PX0205 too many", True), (SHARD_FULL.text, False)]
)
def test_what_a_greeting_is_told_comes_before_anything_leaves(text: str, is_before: bool) -> None:
    name = named("INCRBY", Number(b"f" * 32, 1, 99), lambda _number: 0)
    refusal = ResponseError(text.removeprefix("ERR "))
    assert not may_try_again(refusal, name)
    name.prefix()
    assert may_try_again(refusal, name) is is_before
    name.prefix()
    assert may_try_again(refusal, name)
