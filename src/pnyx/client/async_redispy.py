"""redis-py's own asyncio clients, whose writes are done exactly once however often they are sent.

    from pnyx.redis.asyncio import Redis     # instead of: from redis.asyncio import Redis
    client = Redis(port=6379)                # a gateway port
    await client.incr("visits")

As the blocking ones (client/redispy.py), whose rules these share: what gets a number, what is
refused, and when a write that got no answer raises `OutcomeUnknown`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import random
from time import monotonic
from typing import Any, NoReturn, TypeVar

import redis.asyncio
from redis.asyncio.client import Pipeline as PlainPipeline
from redis.exceptions import RedisClusterException, WatchError

from pnyx.client.async_desk import Desk
from pnyx.client.command import Command
from pnyx.client.commands import cross_slot
from pnyx.client.ledger import SESSIONS_MAX
from pnyx.client.lock import pause_s
from pnyx.client.redispy import (
    NO_PIPELINES,
    Numbered,
    OutcomeUnknown,
    Prefixing,
    give_up,
    is_numbered,
    is_open,
    may_try_again,
    named,
    table_of,
    teach,
    teach_pool,
)
from pnyx.client.settings import TIMEOUT_S_DEFAULT
from pnyx.client.table import Table
from pnyx.transport.numbering import Number

T = TypeVar("T")


class _Once:
    """The numbers of one client, and how long a write is tried."""

    def __init__(self, plain: Callable[..., Awaitable[Any]], timeout_s: float) -> None:
        self._plain = plain
        self.timeout_s = timeout_s
        self._desk = Desk(SESSIONS_MAX)
        self._table: Table | None = None

    async def table(self) -> Table:
        """Return what the nodes say of their commands, asked for once."""
        if self._table is None:
            self._table = table_of(await self._read("COMMAND"))
        return self._table

    @asynccontextmanager
    async def numbers(self, count: int) -> AsyncIterator[list[Number]]:
        """Take 1 to `count` numbers, and settle them in the end."""
        numbers = await self._desk.take(count, monotonic() + self.timeout_s, self._open)
        try:
            yield numbers
        finally:
            self._desk.settle((), numbers)

    def named(self, name: Any, number: Number) -> Numbered:
        """Return the command's name with its number."""
        return named(name, number, self._desk.ack)

    async def once(self, words: Sequence[Any], plain: Callable[..., Awaitable[Any]]) -> Any:
        """Do one command, once if it writes."""
        if not is_numbered(await self.table(), words):
            return await plain(*words)
        async with self.numbers(1) as (number,):
            name = self.named(words[0], number)
            return await self.tried(lambda: plain(name, *words[1:]), name)

    async def tried(
        self,
        send: Callable[[], Awaitable[T]],
        *names: str,
        is_done: Callable[[T], bool] = lambda _: True,
        is_read: bool = False,
    ) -> T:
        """Return what `send` returns when it is done; it is called again while that may help."""
        ends_s = monotonic() + self.timeout_s
        attempt = 0
        while True:
            is_last = monotonic() > ends_s
            try:
                found = await send()
                if is_last or is_done(found):
                    return found
            except Exception as error:
                if not may_try_again(error, *names) or (is_last and is_read):
                    raise
                if is_last:
                    give_up(error)
            await asyncio.sleep(pause_s(attempt, random()))  # noqa: S311 - jitter, no secret
            attempt += 1

    async def _open(self, reads: Sequence[Command], _ends_s: float) -> list[Any]:
        return [await self._read(*read.words) for read in reads]

    async def _read(self, *words: Any) -> Any:
        return await self.tried(lambda: self._plain(*words), is_read=True)


class Redis(redis.asyncio.Redis):
    """`redis.asyncio.Redis` for a gateway port, whose writes are done exactly once."""

    def __init__(
        self, *given: Any, once_timeout_s: float = TIMEOUT_S_DEFAULT, **named: Any
    ) -> None:
        """Take what redis-py takes, and for how many seconds a write is tried."""
        super().__init__(*given, **named)
        teach_pool(self.connection_pool, Prefixing)
        self._once = _Once(super().execute_command, once_timeout_s)

    @classmethod
    def from_url(
        cls, url: str, *given: Any, once_timeout_s: float = TIMEOUT_S_DEFAULT, **named: Any
    ) -> "Redis":
        """Take what redis-py takes, and for how many seconds a write is tried."""
        client: Any = super().from_url(url, *given, **named)
        client._once.timeout_s = once_timeout_s  # noqa: SLF001 - its own kind
        return client

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        """Do a command, once if it writes."""
        plain = super().execute_command
        return await self._once.once(words, lambda *sent: plain(*sent, **options))

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "Pipeline":  # noqa: FBT001, FBT002
        """Return a pipeline whose writes, or whose transaction, are done exactly once."""
        made = Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.once = self._once
        return made


class Pipeline(PlainPipeline):
    """redis-py's pipeline; `execute` has each write, or the transaction, done exactly once."""

    once: _Once
    _exec: Numbered | None = None

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002
        """Do what was queued; errors as redis-py raises them, and `OutcomeUnknown`."""
        stack = list(self.command_stack)
        if not stack:
            return await super().execute(raise_on_error)
        if self.is_transaction or self.explicit_transaction:
            return await self._transact(stack, raise_on_error=raise_on_error)
        results = await self._pipe(stack)
        if raise_on_error:
            for one in results:
                if isinstance(one, OutcomeUnknown):
                    raise one
            self.raise_first_error(stack, results)
        return results

    async def _transact(self, stack: list[Any], *, raise_on_error: bool) -> list[Any]:
        table = await self.once.table()
        commands = [table.command(tuple(words)) for words, _ in stack]
        slots = {command.slot for command in commands if command.slot is not None}
        if len(slots) > 1:
            await self.reset()
            raise cross_slot("a transaction")
        plain = super().execute
        if not slots or not any(command.writes for command in commands):
            return await plain(raise_on_error)
        is_watching = self.watching

        async def send() -> list[Any]:
            self.command_stack = list(stack)
            try:
                return await plain(raise_on_error)
            except Exception as error:
                # Sent again it would not know what was watched.
                if is_watching and may_try_again(error):
                    give_up(error)
                raise

        async with self.once.numbers(1) as (number,):
            self._exec = self.once.named("EXEC", number)
            try:
                return await (send() if is_watching else self.once.tried(send, self._exec))
            finally:
                self._exec = None

    async def _execute_transaction(self, connection: Any, *given: Any) -> Any:
        connection.exec_name = self._exec
        try:
            return await super()._execute_transaction(connection, *given)
        finally:
            connection.exec_name = None

    async def _disconnect_raise_on_watching(self, conn: Any, error: Exception, *given: Any) -> None:
        try:
            await super()._disconnect_raise_on_watching(conn, error, *given)
        except WatchError:
            # It would be tried again as if nothing had been done.
            give_up(error)

    async def _pipe(self, stack: list[Any]) -> list[Any]:
        results: list[Any] = []
        table = await self.once.table()
        while len(results) < len(stack):
            rest = stack[len(results) :]
            wanted = [is_numbered(table, words) for words, _ in rest]
            if not any(wanted):
                return results + await self._plainly(rest)
            async with self.once.numbers(sum(wanted)) as numbers:
                free = list(numbers)
                piece: list[Any] = []
                for (words, options), is_wanted in zip(rest, wanted, strict=True):
                    if is_wanted and not free:
                        break
                    name = self.once.named(words[0], free.pop(0)) if is_wanted else words[0]
                    piece.append(((name, *words[1:]), options))
                results += await self._answered(piece)
        return results

    async def _answered(self, piece: list[Any]) -> list[Any]:
        """Return the results of commands, those that must be sent again among them."""
        results: list[Any] = [None] * len(piece)
        names = [words[0] for words, _ in piece]
        missing = list(range(len(piece)))

        async def send() -> bool:
            nonlocal missing
            found = await self._plainly([piece[at] for at in missing])
            for at, result in zip(missing, found, strict=True):
                results[at] = result
            missing = [at for at in missing if is_open(results[at], names[at])]
            return not missing

        await self.once.tried(send, *names, is_done=bool)
        for at in missing:
            results[at] = OutcomeUnknown(str(results[at]))
        return results

    async def _plainly(self, piece: list[Any]) -> list[Any]:
        self.command_stack = list(piece)
        return await super().execute(raise_on_error=False)


class RedisCluster(redis.asyncio.RedisCluster):
    """`redis.asyncio.RedisCluster` for cluster ports, whose writes are done exactly once."""

    def __init__(
        self, *given: Any, once_timeout_s: float = TIMEOUT_S_DEFAULT, **named: Any
    ) -> None:
        """Take what redis-py takes, and for how many seconds a write is tried."""
        super().__init__(*given, **named)
        self.command_flags["PNYX.SESSION"] = self.RANDOM
        nodes = self.nodes_manager
        for node in nodes.startup_nodes.values():
            teach(node, Prefixing)
            nodes.connection_kwargs["connection_class"] = node.connection_class
        self._once = _Once(super().execute_command, once_timeout_s)

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        """Do a command, once if it writes."""
        plain = super().execute_command
        return await self._once.once(words, lambda *sent: plain(*sent, **options))

    def pipeline(self, *_given: Any, **_named: Any) -> NoReturn:
        """Refuse: redis-py sends the commands of a cluster's pipeline again one by one.

        Raises:
            RedisClusterException: always; nothing was sent.
        """
        raise RedisClusterException(NO_PIPELINES)

    # redis-py types it as its blocking client's.
    async def _execute_pipeline_by_slot(  # type: ignore[override]
        self, command: str, slots_to_args: Any
    ) -> list[Any]:
        # redis-py's way to DEL, EXISTS, MGET and their like over several slots is a pipeline.
        return [await self.execute_command(command, *words) for words in slots_to_args.values()]
