"""`pnyx.aio.connect`: the client for asyncio, whose methods are those of the blocking one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, overload

from pnyx.client import commands
from pnyx.client.async_admin import AsyncAdmin
from pnyx.client.async_collected import Lock, Pipeline, Transaction
from pnyx.client.async_runner import Runner
from pnyx.client.command import Command
from pnyx.client.commands import Moment, Read, Span, Versioned
from pnyx.client.errors import WatchError
from pnyx.client.listing import Listing
from pnyx.client.lock import TTL_MS_DEFAULT
from pnyx.client.settings import TIMEOUT_S_DEFAULT, settled
from pnyx.client.table import EVERY_COMMAND, Table
from pnyx.client.wire import Value

Text = TypeVar("Text", bytes, str)


@overload
async def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: Literal[False] = False,
    exactly_once: bool = True,
) -> "AsyncPnyx[bytes]": ...


@overload
async def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: Literal[True],
    exactly_once: bool = True,
) -> "AsyncPnyx[str]": ...


@overload
async def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: bool,
    exactly_once: bool = True,
) -> "AsyncPnyx[Any]": ...


async def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: bool = False,
    exactly_once: bool = True,
) -> "AsyncPnyx[Any]":
    """Return a client as `pnyx.connect` does, for the event loop that runs; `aclose` it.

    Options and errors are the same. Use ``async with await pnyx.aio.connect(...) as client``.
    """
    settings = settled(
        url,
        password=password,
        timeout_s=timeout_s,
        decode=decode_responses,
        exactly_once=exactly_once,
    )
    client: AsyncPnyx[Any] = AsyncPnyx(Runner.of(settings))
    try:
        await client.ping()
    except BaseException:
        await client.aclose()
        raise
    return client


class AsyncPnyx(Generic[Text]):
    """One cluster, as a program of one event loop uses it; its tasks may share it.

    Methods, options and errors are those of `Pnyx`, awaited; what is not awaited here (`pipeline`,
    `session`, `lock`) has methods that are.
    """

    def __init__(self, runner: Runner, parent: "AsyncPnyx[Text] | None" = None) -> None:
        self._runs_on = runner
        self._parent: AsyncPnyx[Text] | None = parent
        """Whose connections a session shares."""
        self._is_closed = False
        self._table: Table | None = None

    async def aclose(self) -> None:
        """Close the connections, and end the sessions; calling again does nothing.

        A session that is closed leaves the connections to the client and the others.
        """
        self._is_closed = True
        if self._parent is None:
            self._runs_on.courier.close()

    async def ping(self) -> None:
        """Return if any node answers."""
        await self._ask(Command(("PING",), None, writes=False))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    # Values.

    async def get(self, key: Value, *, read: Read = "linearizable") -> Text | None:
        """Return the value of a key, None if there is none."""
        return await self._ask(commands.get(key, read=read))

    async def set(
        self,
        key: Value,
        value: Value,
        *,
        ex: Span | None = None,
        px: Span | None = None,
        nx: bool = False,
        xx: bool = False,
        keepttl: bool = False,
        get: bool = False,
        exat: Moment | None = None,
        pxat: Moment | None = None,
        ifeq: Value | None = None,
        ifne: Value | None = None,
    ) -> Any:
        """Set a key; return True, or None if a condition did not hold."""
        return await self._ask(
            commands.set(
                key, value, ex=ex, px=px, nx=nx, xx=xx, keepttl=keepttl, get=get,
                exat=exat, pxat=pxat, ifeq=ifeq, ifne=ifne,
            )
        )  # fmt: skip

    put = set  # noqa: A003 - redis-py's name

    async def append(self, key: Value, value: Value) -> int:
        """Append to a value, which counts as empty if there is none; return its length in bytes."""
        return await self._ask(commands.append(key, value))

    async def delete(self, *keys: Value) -> int:
        """Delete keys; return how many there were. Atomic among keys of one slot only."""
        return sum((await self._by_slot(commands.delete, keys)).values())

    async def exists(self, *keys: Value, read: Read = "linearizable") -> int:
        """Return how many of the keys there are; one named twice counts twice."""
        return sum((await self._by_slot(partial(commands.exists, read=read), keys)).values())

    async def delex(
        self, key: Value, *, ifeq: Value | None = None, ifne: Value | None = None
    ) -> bool:
        """Delete a key if its value is (or is not) the one given; return whether it was done."""
        return await self._ask(commands.delex(key, ifeq=ifeq, ifne=ifne))

    async def mget(
        self, keys: Value | Iterable[Value], *more: Value, read: Read = "linearizable"
    ) -> list[Text | None]:
        """Return the values of keys, in order. Those of one slot are read at one moment."""
        keys = commands.listed(keys, more)
        values: list[Text | None] = [None] * len(keys)
        for places, found in (await self._by_slot(partial(commands.mget, read=read), keys)).items():
            for place, value in zip(places, found, strict=True):
                values[place] = value
        return values

    async def mset(self, mapping: Mapping[Any, Value]) -> bool:
        """Set keys of one slot at once."""
        return await self._ask(commands.mset(mapping))

    async def get_versioned(self, key: Value, *, read: Read = "linearizable") -> Versioned:
        """Return the value of a key and its revision; None and 0 if there is no such key."""
        return await self._ask(commands.get_versioned(key, read=read))

    async def cas(
        self,
        key: Value,
        revision: int,
        value: Value,
        *,
        ex: Span | None = None,
        px: Span | None = None,
        exat: Moment | None = None,
        pxat: Moment | None = None,
        keepttl: bool = False,
    ) -> int | None:
        """Set a key if it still is at `revision` (0: there is none); return the new revision."""
        return await self._ask(
            commands.cas(key, revision, value, ex=ex, px=px, exat=exat, pxat=pxat, keepttl=keepttl)
        )

    async def incr(self, key: Value, amount: int = 1) -> int:
        """Add to the integer that a value is; a missing one counts as 0. Return the new one."""
        return await self._ask(commands.incr(key, amount))

    async def incrbyfloat(self, key: Value, amount: float = 1.0) -> float:
        """Add to the number that a value is; a missing one counts as 0. Return the new one."""
        return await self._ask(commands.incrbyfloat(key, amount))

    async def getdel(self, key: Value) -> Text | None:
        """Delete a key and return the value that it had."""
        return await self._ask(commands.getdel(key))

    async def getex(
        self,
        key: Value,
        *,
        ex: Span | None = None,
        px: Span | None = None,
        exat: Moment | None = None,
        pxat: Moment | None = None,
        persist: bool = False,
    ) -> Text | None:
        """Return a value and change when it dies; units as in `set`."""
        return await self._ask(
            commands.getex(key, ex=ex, px=px, exat=exat, pxat=pxat, persist=persist)
        )

    # Time to live.

    async def expire(
        self,
        key: Value,
        time: Span,
        *,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> bool:
        """Let a key die in so many seconds; return whether that was set."""
        return await self._ask(commands.expire(key, time, nx=nx, xx=xx, gt=gt, lt=lt))

    async def pexpire(
        self,
        key: Value,
        time: Span,
        *,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> bool:
        """Let a key die in so many milliseconds; see `expire`."""
        return await self._ask(commands.pexpire(key, time, nx=nx, xx=xx, gt=gt, lt=lt))

    async def ttl(self, key: Value, *, read: Read = "linearizable") -> int:
        """Return in how many seconds a key dies; -1: never, -2: there is none."""
        return await self._ask(commands.ttl(key, read=read))

    async def pttl(self, key: Value, *, read: Read = "linearizable") -> int:
        """Return in how many milliseconds a key dies; -1: never, -2: there is none."""
        return await self._ask(commands.pttl(key, read=read))

    async def persist(self, key: Value) -> bool:
        """Let a key live for ever; return whether it would have died."""
        return await self._ask(commands.persist(key))

    # Many at once.

    async def scan_iter(self, match: Value = "*", *, count: int = 1000) -> AsyncIterator[Text]:
        """Return every key that matches a glob, in no order; one may come twice."""
        courier = self._runner.courier
        listing = Listing(courier.routes, match, count)
        while (command := listing.next_page()) is not None:
            page = await self._ask(command)
            if listing.is_last(page):
                await courier.ask_map(monotonic() + self._runner.settings.timeout_s)
            for key in listing.keys_of(page):
                yield key

    def pipeline(self) -> Pipeline:
        """Return an empty pipeline: its commands leave together and are no transaction."""
        return Pipeline(self._runner)

    async def transaction(
        self, wanted: Callable[[Transaction], Awaitable[object]], *watches: Value
    ) -> list[Any]:
        """Do what `wanted` queues at once, unless a watched key changes; then start again."""
        ends_s = monotonic() + self._runner.settings.timeout_s
        while True:
            transaction = Transaction(self._runner)
            await transaction.watch(*watches)
            await wanted(transaction)
            try:
                return await transaction.execute()
            except WatchError:
                if monotonic() > ends_s:
                    raise

    def session(self) -> "AsyncPnyx[Text]":
        """Return this client with a session of its own: at most 16 of its writes are under way."""
        return AsyncPnyx(self._runner.with_session(), self._parent or self)

    def lock(self, name: Value, *, ttl_ms: int = TTL_MS_DEFAULT) -> Lock:
        """Return a lock that is not taken yet; see `Lock`."""
        return Lock(self._runner, name, ttl_ms)

    async def execute_command(self, *words: Value) -> Any:
        """Return the reply to any command, as the node gave it."""
        if self._table is None:
            self._table = Table(await self._ask(EVERY_COMMAND))
        return await self._ask(self._table.command(words))

    @property
    def admin(self) -> AsyncAdmin:
        """What an operator may ask: status, groups that join and leave, shards that move."""
        return AsyncAdmin(self._runner)

    @property
    def _runner(self) -> Runner:
        if self._is_closed or (self._parent is not None and self._parent._is_closed):  # noqa: SLF001 - its own kind
            raise RuntimeError("this client is closed")
        return self._runs_on

    async def _ask(self, command: Command) -> Any:
        return await self._runner.one(command)

    async def _by_slot(
        self, build: Callable[..., Command], keys: tuple[Value, ...]
    ) -> dict[tuple[int, ...], Any]:
        """Return the replies to one command a slot, by the places of its keys."""
        groups = commands.by_slot(keys)
        calls = await self._runner.run(
            [build(*(keys[place] for place in places)) for places in groups]
        )
        return {places: call.outcome() for places, call in zip(groups, calls, strict=True)}
