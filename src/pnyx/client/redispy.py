"""redis-py's own clients, whose writes are done exactly once however often they are sent.

    from pnyx.redis import Redis             # instead of: from redis import Redis
    client = Redis(port=6379)                # a gateway port
    client.incr("visits")

redis-py sends a command again when a connection breaks, and INCR may then be done twice. Here each
write gets a number of a session, once, and carries it in front (PNYX.SEQ) on each attempt of
redis-py and ours, over whatever connection and node: it is done once, and all attempts get that
answer. A write that got none in `once_timeout_s` raises `OutcomeUnknown`.

What has no keys is sent as redis-py does it. So is a command whose keys are in several slots (DEL a
b): doing it twice leaves what doing it once leaves; RedisCluster does it slot by slot, each once. A
transaction over several slots is refused. One that watches keys is not sent again: it raises
`OutcomeUnknown`; `pnyx.connect` can do better. Pipelines of RedisCluster are refused.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import random
from time import monotonic, sleep
from typing import Any, Final, NoReturn, TypeVar

import redis
import redis.cluster
from redis.client import Pipeline as PlainPipeline
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterCrossSlotError,
    ClusterDownError,
    ClusterError,
    ConnectionError as Disconnected,
    MasterDownError,
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError as Late,
    TryAgainError,
    WatchError,
)

from pnyx.client.command import Command
from pnyx.client.commands import cross_slot
from pnyx.client.desk import Desk
from pnyx.client.errors import CrossSlot
from pnyx.client.ledger import SESSIONS_MAX
from pnyx.client.lock import pause_s
from pnyx.client.settings import TIMEOUT_S_DEFAULT
from pnyx.client.table import OF_CONNECTIONS, Table
from pnyx.client.wire import packed_number
from pnyx.transport.numbering import Number
from pnyx.transport.verdict import Heard, Outcome, heard_in

T = TypeVar("T")

_AGAIN: Final = (
    AskError, ClusterDownError, ClusterError, Disconnected, Late, MasterDownError, MovedError,
    ReadOnlyError, RedisClusterException, TryAgainError,
)  # fmt: skip
"""After these nobody knows what became of a write: redis-py may have sent it several times."""
NO_PIPELINES: Final = (
    "pnyx.redis.RedisCluster has no pipelines: use pnyx.connect(...).pipeline(), or "
    "pnyx.redis.Redis with a gateway port"
)
_LOCKED_OUT: Final = "PX0205 "
"""Too many wrong passwords from this address."""
_EXPIRED: Final = ("UNKNOWN PX0206 ", "UNKNOWN PX0207 ")


class OutcomeUnknown(Late):
    """A write got no answer in time. It was done once or not at all, or may be done once, later."""

    outcome: Outcome = "unknown"


class Numbered(str):
    """A command's name that carries its number through redis-py, down to the connection."""

    __slots__ = ("prefix", "sent")
    prefix: Callable[[], bytes]
    sent: int
    """How often it left, or was about to: redis-py sends again what it is not asked to."""


class Prefixing:
    """What a connection of redis-py does besides: it says the number in front, in one piece."""

    exec_name: Numbered | None = None
    """EXEC's name for the transaction that goes over this connection now."""

    def pack_command(self, *words: Any) -> Any:
        pieces = super().pack_command(*words)  # type: ignore[misc]
        name = words[0]
        return [name.prefix(), *pieces] if isinstance(name, Numbered) else pieces

    def pack_commands(self, commands: Any) -> Any:
        pieces: list[Any] = []
        for words in commands:
            if self.exec_name is not None and words == ("EXEC",):
                pieces += self.pack_command(self.exec_name)
            else:
                pieces += self.pack_command(*words)
        return [b"".join(pieces)]


class _Sequencing(Prefixing):
    """A blocking connection packs commands in another way, unless it is told not to."""

    def send_command(self, *words: Any, **options: Any) -> None:
        self.send_packed_command(  # type: ignore[attr-defined]
            self.pack_command(*words), check_health=options.get("check_health", True)
        )


_KINDS: Final[dict[type, type]] = {}


def teach(owner: Any, how: type[Prefixing]) -> None:
    """Let a pool, or a cluster's node, make connections that say numbers: it has none yet."""
    kind = owner.connection_class
    if not issubclass(kind, Prefixing):
        if kind not in _KINDS:
            _KINDS[kind] = type(f"Sequencing{kind.__name__}", (how, kind), {})
        owner.connection_class = _KINDS[kind]


def teach_pool(pool: Any, how: type[Prefixing]) -> None:
    """Let a pool make connections that say numbers; those that wait in it already do not."""
    was = pool.connection_class
    teach(pool, how)
    if pool.connection_class is not was:
        pool.reset()


def table_of(told: dict[str, Any]) -> Table:
    """Return the table that redis-py's reply to COMMAND is."""
    names = ("name", "arity", "flags", "first_key_pos", "last_key_pos", "step_count")
    return Table([[one[name] for name in names] for one in told.values()])


def is_numbered(table: Table, words: Sequence[Any]) -> bool:
    """Is it a write that a session can have done once?"""
    first = words[0].decode() if isinstance(words[0], bytes) else str(words[0])
    if " " in first or first.upper() in OF_CONNECTIONS:
        return False
    try:
        return table.command(tuple(words)).is_once
    except (CrossSlot, TypeError, ValueError):
        return False


def named(name: Any, number: Number, ack: Callable[[Number], int]) -> Numbered:
    """Return a command's name with its number; it is sent with what `ack` says then."""
    found = Numbered(name.decode() if isinstance(name, bytes) else name)

    def prefix() -> bytes:
        found.sent += 1
        return packed_number(number, ack(number))

    found.prefix, found.sent = prefix, 0
    return found


class _Once:
    """The numbers of one client, and how long a write is tried."""

    def __init__(self, plain: Callable[..., Any], timeout_s: float) -> None:
        self._plain = plain
        self.timeout_s = timeout_s
        self._desk = Desk(SESSIONS_MAX)
        self._table: Table | None = None

    def table(self) -> Table:
        """Return what the nodes say of their commands, asked for once."""
        if self._table is None:
            self._table = table_of(self._read("COMMAND"))
        return self._table

    @contextmanager
    def numbers(self, count: int) -> Iterator[list[Number]]:
        """Take 1 to `count` numbers, and settle them in the end."""
        numbers = self._desk.take(count, monotonic() + self.timeout_s, self._open)
        try:
            yield numbers
        finally:
            self._desk.settle((), numbers)

    def named(self, name: Any, number: Number) -> Numbered:
        """Return the command's name with its number."""
        return named(name, number, self._desk.ack)

    def once(self, words: Sequence[Any], plain: Callable[..., Any]) -> Any:
        """Do one command, once if it writes."""
        if not is_numbered(self.table(), words):
            return plain(*words)
        with self.numbers(1) as (number,):
            name = self.named(words[0], number)
            return self.tried(lambda: plain(name, *words[1:]), name)

    def tried(
        self,
        send: Callable[[], T],
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
                found = send()
                if is_last or is_done(found):
                    return found
            except Exception as error:
                if not may_try_again(error, *names):
                    raise
                if is_last and is_read:
                    raise
                if is_last:
                    give_up(error)
            sleep(pause_s(attempt, random()))  # noqa: S311 - jitter, no secret
            attempt += 1

    def _open(self, reads: Sequence[Command], _ends_s: float) -> list[Any]:
        return [self._read(*read.words) for read in reads]

    def _read(self, *words: Any) -> Any:
        return self.tried(lambda: self._plain(*words), is_read=True)


def may_try_again(error: Exception, *names: str) -> bool:
    """Is the answer of the writes of these names still to be had by sending them again?"""
    if isinstance(error, AuthenticationError) or is_refusal(error):
        return any(may_be_done(error, name) for name in names)
    text = str(error)
    is_unknown = isinstance(error, ResponseError) and text.startswith("UNKNOWN ")
    if is_unknown and text.startswith(_EXPIRED):
        give_up(error)
    return is_unknown or isinstance(error, _AGAIN)


def is_refusal(error: Exception) -> bool:
    """Was it refused before anybody looked whether an earlier attempt was done?"""
    if isinstance(error, NoPermissionError | ClusterCrossSlotError):
        return True
    # redis-py cuts off the first word of some errors, and says before others where they came up.
    text = str(error).rpartition("caused error: ")[2]
    is_answer = isinstance(error, ResponseError)
    return is_answer and Heard.REFUSED in (heard_in(text), heard_in(f"ERR {text}"))


def may_be_done(error: Exception, name: str) -> bool:
    """May an earlier attempt than the one that was refused be done, now or later?"""
    sent = name.sent if isinstance(name, Numbered) else 0
    # A password is refused before anything leaves.
    is_before = isinstance(error, AuthenticationError) or _LOCKED_OUT in str(error)
    return sent > (0 if is_before else 1)


def give_up(cause: Exception) -> NoReturn:
    """Raise what is known of a write that got no answer."""
    raise OutcomeUnknown(
        "it is not known whether the write was done; read before you do it again"
    ) from cause


class Redis(redis.Redis):
    """`redis.Redis` for a gateway port, whose writes are done exactly once."""

    def __init__(
        self, *given: Any, once_timeout_s: float = TIMEOUT_S_DEFAULT, **named: Any
    ) -> None:
        """Take what redis-py takes, and for how many seconds a write is tried."""
        super().__init__(*given, **named)
        self._once = _Once(super().execute_command, once_timeout_s)

    @property
    def connection_pool(self) -> Any:
        """Where redis-py takes connections from: with `single_connection_client` at once, in init.

        So a pool learns to say numbers before redis-py can take one out of it.
        """
        return self._pool

    @connection_pool.setter
    def connection_pool(self, pool: Any) -> None:
        teach_pool(pool, _Sequencing)
        self._pool = pool

    @classmethod
    def from_url(
        cls, url: str, *given: Any, once_timeout_s: float = TIMEOUT_S_DEFAULT, **named: Any
    ) -> "Redis":
        """Take what redis-py takes, and for how many seconds a write is tried."""
        client: Any = super().from_url(url, *given, **named)
        client._once.timeout_s = once_timeout_s  # noqa: SLF001 - its own kind
        return client

    def execute_command(self, *words: Any, **options: Any) -> Any:
        """Do a command, once if it writes."""
        plain = super().execute_command
        return self._once.once(words, lambda *sent: plain(*sent, **options))

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "Pipeline":  # noqa: FBT001, FBT002
        """Return a pipeline whose writes, or whose transaction, are done exactly once."""
        made = Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.once = self._once
        return made


class Pipeline(PlainPipeline):
    """redis-py's pipeline; `execute` has each write, or the transaction, done exactly once."""

    once: _Once
    _exec: Numbered | None = None

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002
        """Do what was queued; errors as redis-py raises them, and `OutcomeUnknown`."""
        stack = list(self.command_stack)
        if not stack:
            return super().execute(raise_on_error)
        # `transaction` is a method of redis-py's client, and a flag of its pipeline.
        if vars(self)["transaction"] or self.explicit_transaction:
            return self._transact(stack, raise_on_error=raise_on_error)
        results = self._pipe(stack)
        if raise_on_error:
            for one in results:
                if isinstance(one, OutcomeUnknown):
                    raise one
            self.raise_first_error(stack, results)
        return results

    def _transact(self, stack: list[Any], *, raise_on_error: bool) -> list[Any]:
        table = self.once.table()
        commands = [table.command(tuple(words)) for words, _ in stack]
        slots = {command.slot for command in commands if command.slot is not None}
        if len(slots) > 1:
            self.reset()
            raise cross_slot("a transaction")
        plain = super().execute
        if not slots or not any(command.writes for command in commands):
            return plain(raise_on_error)
        is_watching = self.watching

        def send() -> list[Any]:
            self.command_stack = list(stack)
            try:
                return plain(raise_on_error)
            except Exception as error:
                # Sent again it would not know what was watched.
                if is_watching and may_try_again(error):
                    give_up(error)
                raise

        with self.once.numbers(1) as (number,):
            self._exec = self.once.named("EXEC", number)
            try:
                return send() if is_watching else self.once.tried(send, self._exec)
            finally:
                self._exec = None

    def _execute_transaction(self, connection: Any, *given: Any) -> Any:
        connection.exec_name = self._exec
        try:
            return super()._execute_transaction(connection, *given)
        finally:
            connection.exec_name = None

    def _disconnect_raise_on_watching(self, conn: Any, error: Exception, *given: Any) -> None:
        try:
            super()._disconnect_raise_on_watching(conn, error, *given)
        except WatchError:
            # It would be tried again as if nothing had been done.
            give_up(error)

    def _pipe(self, stack: list[Any]) -> list[Any]:
        results: list[Any] = []
        table = self.once.table()
        while len(results) < len(stack):
            rest = stack[len(results) :]
            wanted = [is_numbered(table, words) for words, _ in rest]
            if not any(wanted):
                return results + self._plainly(rest)
            with self.once.numbers(sum(wanted)) as numbers:
                free = list(numbers)
                piece: list[Any] = []
                for (words, options), is_wanted in zip(rest, wanted, strict=True):
                    if is_wanted and not free:
                        break
                    name = self.once.named(words[0], free.pop(0)) if is_wanted else words[0]
                    piece.append(((name, *words[1:]), options))
                results += self._answered(piece)
        return results

    def _answered(self, piece: list[Any]) -> list[Any]:
        """Return the results of commands, those that must be sent again among them."""
        results: list[Any] = [None] * len(piece)
        names = [words[0] for words, _ in piece]
        missing = list(range(len(piece)))

        def send() -> bool:
            nonlocal missing
            found = self._plainly([piece[at] for at in missing])
            for at, result in zip(missing, found, strict=True):
                results[at] = result
            missing = [at for at in missing if is_open(results[at], names[at])]
            return not missing

        self.once.tried(send, *names, is_done=bool)
        for at in missing:
            results[at] = OutcomeUnknown(str(results[at]))
        return results

    def _plainly(self, piece: list[Any]) -> list[Any]:
        self.command_stack = list(piece)
        return super().execute(raise_on_error=False)


def is_open(result: Any, name: Any) -> bool:
    """Is what became of a pipeline's command still to be had by sending it again?"""
    if not isinstance(result, Exception):
        return False
    if isinstance(result, AuthenticationError) or is_refusal(result):
        return may_be_done(result, name)
    return isinstance(result, _AGAIN) or str(result).startswith("UNKNOWN PX0203 ")


class RedisCluster(redis.cluster.RedisCluster):
    """`redis.RedisCluster` for cluster ports, whose writes are done exactly once."""

    _once: _Once | None = None

    def __init__(
        self, *given: Any, once_timeout_s: float = TIMEOUT_S_DEFAULT, **named: Any
    ) -> None:
        """Take what redis-py takes, and for how many seconds a write is tried."""
        super().__init__(*given, **named)
        self.command_flags["PNYX.SESSION"] = self.RANDOM
        self._once = _Once(super().execute_command, once_timeout_s)

    def get_redis_connection(self, node: Any) -> Any:
        """Return the client of a node; its connections say numbers."""
        found = super().get_redis_connection(node)
        teach_pool(found.connection_pool, _Sequencing)
        return found

    def execute_command(self, *words: Any, **options: Any) -> Any:
        """Do a command, once if it writes."""
        plain = super().execute_command
        if self._once is None:
            return plain(*words, **options)
        return self._once.once(words, lambda *sent: plain(*sent, **options))

    def pipeline(self, *_given: Any, **_named: Any) -> NoReturn:
        """Refuse: redis-py sends the commands of a cluster's pipeline again one by one.

        Raises:
            RedisClusterException: always; nothing was sent.
        """
        raise RedisClusterException(NO_PIPELINES)

    def _execute_pipeline_by_slot(self, command: str, slots_to_args: Any) -> list[Any]:
        # redis-py's way to DEL, EXISTS, MGET and their like over several slots is a pipeline.
        return [self.execute_command(command, *words) for words in slots_to_args.values()]
