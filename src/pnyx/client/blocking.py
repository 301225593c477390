"""`pnyx.connect`: the client for programs that wait for each answer; it has no thread or loop."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

from pnyx.client import commands
from pnyx.client.admin import PAGES, Admin, located
from pnyx.client.collected import Lock, Pipeline, Transaction
from pnyx.client.command import Command
from pnyx.client.commands import Moment, Read, Span, Versioned
from pnyx.client.errors import WatchError
from pnyx.client.listing import Listing
from pnyx.client.lock import TTL_MS_DEFAULT
from pnyx.client.runner import Runner
from pnyx.client.settings import TIMEOUT_S_DEFAULT, settled
from pnyx.client.table import EVERY_COMMAND, Table
from pnyx.client.wire import Value

if TYPE_CHECKING:
    from pnyx.client.files.filesystem import PnyxFileSystem

Text = TypeVar("Text", bytes, str)


@overload
def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: Literal[False] = False,
    exactly_once: bool = True,
) -> "Pnyx[bytes]": ...


@overload
def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: Literal[True],
    exactly_once: bool = True,
) -> "Pnyx[str]": ...


@overload
def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: bool,
    exactly_once: bool = True,
) -> "Pnyx[Any]": ...


def connect(
    url: str,
    *,
    password: str | None = None,
    timeout_s: float = TIMEOUT_S_DEFAULT,
    decode_responses: bool = False,
    exactly_once: bool = True,
) -> "Pnyx[Any]":
    """Return a client of the cluster that has a node at `url`; `close` it, or use `with`.

    >>> with pnyx.connect("pnyx://127.0.0.1:7001") as client:
    ...     client.set("greeting", "hello")
    ...     client.get("greeting")
    True
    b'hello'

    Args:
        url: ``pnyx://[:password@]host:port[,host:port...]``; cluster ports, or gateway ports.
        password: what the nodes' `requirepass` says, if the URL does not; an empty one is none.
        timeout_s: seconds that a call may take with all its attempts, more than 0, at most 600.
        decode_responses: return values as str (UTF-8), not bytes.
        exactly_once: carry writes out in sessions, so that they can be sent again when their
            outcome is not known. Without it such a write ends in a `Timeout` of outcome "unknown".

    Raises:
        AddressWrong: the URL cannot be meant.
        AuthError: the password is wrong or missing, or the nodes have none.
        Unavailable: no node answers.
    """
    settings = settled(
        url,
        password=password,
        timeout_s=timeout_s,
        decode=decode_responses,
        exactly_once=exactly_once,
    )
    client: Pnyx[Any] = Pnyx(Runner.of(settings))
    try:
        client.ping()
    except BaseException:
        client.close()
        raise
    return client


class Pnyx(Generic[Text]):
    """One cluster, as a program uses it. Threads may share it; a forked child gets its own sockets.

    Keys and values are bytes, str (UTF-8), int or float. Every method raises `Timeout`,
    `Unavailable` or `NoQuorum` when there was no answer in time, and `Refused` with the node's own
    words when the command is wrong for the value that is there; once closed, `RuntimeError`.
    """

    def __init__(self, runner: Runner, parent: "Pnyx[Text] | None" = None) -> None:
        self._runs_on = runner
        self._parent: Pnyx[Text] | None = parent
        """Whose connections a session shares."""
        self._is_closed = False
        self._table: Table | None = None
        self._files: PnyxFileSystem | None = None

    def close(self) -> None:
        """Close the connections, those of `fs` among them; calling again does nothing.

        Its sessions end with it. A session that is closed leaves them to the client and the others.
        """
        self._is_closed = True
        if self._parent is None:
            self._runs_on.courier.close()
        if self._files is not None:
            self._files.close()

    def ping(self) -> None:
        """Return if any node answers."""
        self._ask(Command(("PING",), None, writes=False))

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

    def get(self, key: Value, *, read: Read = "linearizable") -> Text | None:
        """Return the value of a key, None if there is none.

        With ``read="stale"`` any node answers from what it has, however old that is, and asks
        nobody: so it answers while there is no quorum, too. All methods that only read keys have
        it. Two such reads may come from two nodes, and the second be older than the first.

        >>> client.set("greeting", "hello")
        True
        >>> client.get("greeting", read="stale") in {b"hello", None}
        True
        """
        return self._ask(commands.get(key, read=read))

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

    def exists(self, *keys: Value, read: Read = "linearizable") -> int:
        """Return how many of the keys there are; one named twice counts twice."""
        return sum(self._by_slot(partial(commands.exists, read=read), keys).values())

    def delex(self, key: Value, *, ifeq: Value | None = None, ifne: Value | None = None) -> bool:
        """Delete a key if its value is (or is not) the one given; return whether it was done."""
        return self._ask(commands.delex(key, ifeq=ifeq, ifne=ifne))

    def mget(
        self, keys: Value | Iterable[Value], *more: Value, read: Read = "linearizable"
    ) -> list[Text | None]:
        """Return the values of keys, in order. Those of one slot are read at one moment."""
        keys = commands.listed(keys, more)
        values: list[Text | None] = [None] * len(keys)
        for places, found in self._by_slot(partial(commands.mget, read=read), keys).items():
            for place, value in zip(places, found, strict=True):
                values[place] = value
        return values

    def mset(self, mapping: Mapping[Any, Value]) -> bool:
        """Set keys of one slot at once.

        Raises:
            CrossSlot: they do not share a slot; nothing was done.
        """
        return self._ask(commands.mset(mapping))

    def get_versioned(self, key: Value, *, read: Read = "linearizable") -> Versioned:
        """Return the value of a key and its revision; None and 0 if there is no such key.

        >>> client.set("doc", "draft")
        True
        >>> value, revision = client.get_versioned("doc")
        >>> client.cas("doc", revision, "final") > revision
        True
        >>> client.cas("doc", revision, "late") is None
        True
        """
        return self._ask(commands.get_versioned(key, read=read))

    def cas(
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
        """Set a key if it still is at `revision` (0: there is none); return the new revision.

        None, and nothing is done, if it is at another. Units as in `set`.
        """
        return self._ask(
            commands.cas(key, revision, value, ex=ex, px=px, exat=exat, pxat=pxat, keepttl=keepttl)
        )

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

    def ttl(self, key: Value, *, read: Read = "linearizable") -> int:
        """Return in how many seconds a key dies; -1: never, -2: there is none."""
        return self._ask(commands.ttl(key, read=read))

    def pttl(self, key: Value, *, read: Read = "linearizable") -> int:
        """Return in how many milliseconds a key dies; -1: never, -2: there is none."""
        return self._ask(commands.pttl(key, read=read))

    def persist(self, key: Value) -> bool:
        """Let a key live for ever; return whether it would have died."""
        return self._ask(commands.persist(key))

    # Many at once.

    def scan_iter(self, match: Value = "*", *, count: int = 1000) -> Iterator[Text]:
        """Return every key that matches a glob, in no order; one may come twice.

        What is there from the first to the last is found; what comes or goes meanwhile may be.
        `count` keys are looked at in one step, at most 1000.
        """
        courier = self._runner.courier
        listing = Listing(courier.routes, match, count)
        while (command := listing.next_page()) is not None:
            page = self._ask(command)
            if listing.is_last(page):
                courier.ask_map(monotonic() + self._runner.settings.timeout_s)
            yield from listing.keys_of(page)

    def pipeline(self) -> Pipeline:
        """Return an empty pipeline: its commands leave together and are no transaction.

        >>> pipeline = client.pipeline()
        >>> pipeline.set("a", 1).incr("a").get("a").execute()
        [True, 2, b'2']
        """
        return Pipeline(self._runner)

    def transaction(self, wanted: Callable[[Transaction], object], *watches: Value) -> list[Any]:
        """Do what `wanted` queues at once, unless a watched key changes; then start again.

        `wanted` gets a `Transaction`: it reads with `get`, and queues what is to be done with the
        methods of a pipeline. It may be called several times. Keys share a slot.

        >>> client.set("{account}a", 10)
        True
        >>> def pay(transaction):
        ...     left = int(transaction.get("{account}a")) - 3
        ...     transaction.multi()
        ...     transaction.set("{account}a", left).incr("{account}b", 3)
        >>> client.transaction(pay, "{account}a")
        [True, 3]

        Raises:
            CrossSlot: the keys do not share a slot. Nothing was done.
            WatchError: watched keys changed each time, for as long as a call may take.
        """
        ends_s = monotonic() + self._runner.settings.timeout_s
        while True:
            transaction = Transaction(self._runner)
            transaction.watch(*watches)
            wanted(transaction)
            try:
                return transaction.execute()
            except WatchError:
                if monotonic() > ends_s:
                    raise

    def session(self) -> "Pnyx[Text]":
        """Return this client with a session of its own: at most 16 of its writes are under way.

        It shares the connections, and ends with this client, or before when it is closed. A program
        that shares one client among many threads gives those that must not wait for others' writes
        such a session.
        """
        return Pnyx(self._runner.with_session(), self._parent or self)

    def lock(self, name: Value, *, ttl_ms: int = TTL_MS_DEFAULT) -> Lock:
        """Return a lock that is not taken yet; see `Lock`.

        >>> with client.lock("report", ttl_ms=10_000) as lock:
        ...     lock.token > 0
        True
        """
        return Lock(self._runner, name, ttl_ms)

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

    @property
    def fs(self) -> "PnyxFileSystem":
        """The cluster's files, as fsspec's filesystem; it is this client's own, and closed with it.

        >>> client.fs.pipe_file("/notes/today", b"rain")
        >>> client.fs.cat_file("/notes/today")
        b'rain'
        """
        settings = self._runner.settings
        if self._files is None:
            # fsspec is not loaded for programs that keep no files.
            loaded = import_module("pnyx.client.files.filesystem")
            self._files = loaded.PnyxFileSystem(
                settings.target.nodes,
                settings.target.password,
                settings.timeout_s,
                skip_instance_cache=True,
            )
        return self._files

    @property
    def admin(self) -> Admin:
        """What an operator may ask: status, groups that join and leave, shards that move.

        >>> [group.name for group in client.admin.groups()]
        ['g1']
        """
        return Admin(located(self._ask(PAGES), self._runner.settings.target.password))

    @property
    def _runner(self) -> Runner:
        if self._is_closed or (self._parent is not None and self._parent._is_closed):  # noqa: SLF001 - its own kind
            raise RuntimeError("this client is closed")
        return self._runs_on

    def _ask(self, command: Command) -> Any:
        return self._runner.one(command)

    def _by_slot(
        self, build: Callable[..., Command], keys: tuple[Value, ...]
    ) -> dict[tuple[int, ...], Any]:
        """Return the replies to one command a slot, by the places of its keys."""
        groups = commands.by_slot(keys)
        calls = self._runner.run([build(*(keys[place] for place in places)) for places in groups])
        return {places: call.outcome() for places, call in zip(groups, calls, strict=True)}
