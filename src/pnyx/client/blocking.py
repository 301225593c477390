"""`pnyx.connect`: the client for programs that wait for each answer; it has no thread or loop."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, overload

from pnyx.client import commands
from pnyx.client.command import Command
from pnyx.client.commands import Moment, Span
from pnyx.client.courier import Courier
from pnyx.client.errand import Call
from pnyx.client.listing import Listing
from pnyx.client.pipeline import Queue, chunks
from pnyx.client.settings import TIMEOUT_S_DEFAULT, Settings, settled
from pnyx.client.table import EVERY_COMMAND, Table
from pnyx.client.wire import Value
from pnyx.transport.verdict import Trail

Text = TypeVar("Text", bytes, str)


@overload
def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: Literal[False] = False,
) -> "Pnyx[bytes]": ...


@overload
def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: Literal[True],
) -> "Pnyx[str]": ...


def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: bool = False,
) -> "Pnyx[Any]":
    """Return a client of the cluster that has a node at `url`; `close` it, or use `with`.

    >>> with pnyx.connect("pnyx://127.0.0.1:7001") as client:
    ...     client.set("greeting", "hello")
    ...     client.get("greeting")
    True
    b'hello'

    Args:
        url: ``pnyx://[:password@]host:port[,host:port...]``; cluster ports, or gateway ports.
        password: what the nodes' `requirepass` says, if the URL does not.
        timeout_s: seconds that a call may take with all its attempts, more than 0, at most 600.
        decode_responses: return values as str (UTF-8), not bytes.

    Raises:
        AddressWrong: the URL cannot be meant.
        AuthError: the password is wrong or missing.
        Unavailable: no node answers.
    """
    settings = settled(url, password=password, timeout_s=timeout_s, decode=decode_responses)
    client: Pnyx[Any] = Pnyx(settings)
    try:
        client.execute_command("PING")
    except BaseException:
        client.close()
        raise
    return client


class Pnyx(Generic[Text]):
    """One cluster, as a program uses it. Threads may share it; a forked child gets its own sockets.

    Keys and values are bytes, str (UTF-8), int or float. Every method raises `Timeout`,
    `Unavailable` or `NoQuorum` when there was no answer in time, and `Refused` with the node's own
    words when the command is wrong for the value that is there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._courier = Courier(settings)
        self._table: Table | None = None

    # Life.

    def close(self) -> None:
        """Close the connections; calling again does nothing."""
        self._courier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Values.

    def get(self, key: Value) -> Text | None:
        """Return the value of a key, None if there is none."""
        return self._ask(commands.get(key))

    def set(
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
        """Set a key; return True, or None if a condition did not hold.

        >>> client.set("greeting", "hello", ex=60)
        True
        >>> client.set("greeting", "other", nx=True) is None
        True

        Args:
            key: the key.
            value: at most 4 MiB, unless the nodes' settings say otherwise.
            ex: seconds to live.
            px: milliseconds to live.
            nx: only if there is none.
            xx: only if there is one.
            keepttl: keep the time to live that it has.
            get: return the value before (None if there was none) instead.
            exat: dies then, seconds since 1970.
            pxat: dies then, milliseconds since 1970.
            ifeq: only if the value is this one.
            ifne: only if the value is not this one.
        """
        return self._ask(
            commands.set(
                key, value, ex=ex, px=px, nx=nx, xx=xx, keepttl=keepttl, get=get,
                exat=exat, pxat=pxat, ifeq=ifeq, ifne=ifne,
            )
        )  # fmt: skip

    put = set  # noqa: A003 - redis-py's name

    def append(self, key: Value, value: Value) -> int:
        """Append to a value, which counts as empty if there is none; return its length in bytes."""
        return self._ask(commands.append(key, value))

    def delete(self, *keys: Value) -> int:
        """Delete keys; return how many there were. Atomic among keys of one slot only."""
        return sum(self._by_slot(commands.delete, keys).values())

    def exists(self, *keys: Value) -> int:
        """Return how many of the keys there are; one named twice counts twice."""
        return sum(self._by_slot(commands.exists, keys).values())

    def delex(self, key: Value, *, ifeq: Value | None = None, ifne: Value | None = None) -> bool:
        """Delete a key if its value is (or is not) the one given; return whether it was done."""
        return self._ask(commands.delex(key, ifeq=ifeq, ifne=ifne))

    def mget(self, keys: Value | Iterable[Value], *more: Value) -> list[Text | None]:
        """Return the values of keys, in order. Those of one slot are read at one moment."""
        keys = commands.listed(keys, more)
        values: list[Text | None] = [None] * len(keys)
        for places, found in self._by_slot(commands.mget, keys).items():
            for place, value in zip(places, found, strict=True):
                values[place] = value
        return values

    def mset(self, mapping: Mapping[Any, Value]) -> bool:
        """Set keys of one slot at once.

        Raises:
            CrossSlot: they do not share a slot; nothing was done.
        """
        return self._ask(commands.mset(mapping))

    def incr(self, key: Value, amount: int = 1) -> int:
        """Add to the integer that a value is; a missing one counts as 0. Return the new one.

        >>> client.incr("visits")
        1
        """
        return self._ask(commands.incr(key, amount))

    def incrbyfloat(self, key: Value, amount: float = 1.0) -> float:
        """Add to the number that a value is; a missing one counts as 0. Return the new one."""
        return self._ask(commands.incrbyfloat(key, amount))

    def getdel(self, key: Value) -> Text | None:
        """Delete a key and return the value that it had."""
        return self._ask(commands.getdel(key))

    def getex(
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
        return self._ask(commands.getex(key, ex=ex, px=px, exat=exat, pxat=pxat, persist=persist))

    # Time to live.

    def expire(
        self,
        key: Value,
        time: Span,
        *,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> bool:
        """Let a key die in so many seconds; return whether that was set.

        Only if it never dies (`nx`), if it does (`xx`), if that is later (`gt`) or sooner (`lt`).
        """
        return self._ask(commands.expire(key, time, nx=nx, xx=xx, gt=gt, lt=lt))

    def pexpire(
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
        return self._ask(commands.pexpire(key, time, nx=nx, xx=xx, gt=gt, lt=lt))

    def ttl(self, key: Value) -> int:
        """Return in how many seconds a key dies; -1: never, -2: there is none."""
        return self._ask(commands.ttl(key))

    def pttl(self, key: Value) -> int:
        """Return in how many milliseconds a key dies; -1: never, -2: there is none."""
        return self._ask(commands.pttl(key))

    def persist(self, key: Value) -> bool:
        """Let a key live for ever; return whether it would have died."""
        return self._ask(commands.persist(key))

    # Many at once.

    def scan_iter(self, match: Value = "*", *, count: int = 1000) -> Iterator[Text]:
        """Return every key that matches a glob, in no order; one may come twice.

        What is there from the first to the last is found; what comes or goes meanwhile may be.
        `count` keys are looked at in one step, at most 1000.
        """
        listing = Listing(self._courier.routes, match, count)
        while (command := listing.next_page()) is not None:
            page = self._ask(command)
            if listing.is_last(page):
                self._courier.ask_map(self._settings.timeout_s)
            yield from listing.keys_of(page)

    def pipeline(self) -> "Pipeline":
        """Return an empty pipeline: its commands leave together and are no transaction.

        >>> pipeline = client.pipeline()
        >>> pipeline.set("a", 1).incr("a").get("a").execute()
        [True, 2, b'2']
        """
        return Pipeline(self)

    def execute_command(self, *words: Value) -> Any:
        """Return the reply to any command, as the node gave it.

        >>> client.execute_command("BITCOUNT", "greeting")
        21

        Raises:
            Refused: no such command, or its arguments are wrong; nothing was done.
            ValueError: it would change the connection, and those are shared.
        """
        if self._table is None:
            self._table = Table(self._ask(EVERY_COMMAND))
        return self._ask(self._table.command(words))

    def run(self, queued: Sequence[Command]) -> list[Call]:
        """Carry out commands that leave together; each call has its result or error."""
        calls = [Call(command, Trail(command.writes, in_session=False)) for command in queued]
        self._courier.carry_out(calls, self._settings.timeout_s)
        return calls

    def _ask(self, command: Command) -> Any:
        return self.run((command,))[0].outcome()

    def _by_slot(
        self, build: Callable[..., Command], keys: tuple[Value, ...]
    ) -> dict[tuple[int, ...], Any]:
        """Return the replies to one command a slot, by the places of its keys."""
        groups = commands.by_slot(keys)
        calls = self.run([build(*(keys[place] for place in places)) for places in groups])
        return {places: call.outcome() for places, call in zip(groups, calls, strict=True)}


class Pipeline(Queue):
    """Commands that leave together when `execute` is called, and are no transaction.

    Those to one node are done in order; another client's may come between.
    """

    def __init__(self, client: Pnyx[Any]) -> None:
        super().__init__()
        self._client = client

    def execute(self, *, raise_on_error: bool = True) -> list[Any]:
        """Send everything, empty the pipeline, and return the results in order.

        All commands are tried whatever becomes of those before them. The first error is then
        raised, or with `raise_on_error` off the errors stand in the list.
        """
        queued, self.commands = self.commands, []
        calls = [call for chunk in chunks(queued) for call in self._client.run(chunk)]
        if raise_on_error:
            return [call.outcome() for call in calls]
        return [call.result if call.error is None else call.error for call in calls]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.commands.clear()
