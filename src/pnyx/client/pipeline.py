"""Commands that are collected first and leave together: the pipeline of both faces."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

from pnyx.client import commands
from pnyx.client.command import Command
from pnyx.client.errand import Call
from pnyx.client.errors import Timeout, Unavailable
from pnyx.client.wire import Value, check

P = ParamSpec("P")

CHUNK_COMMANDS_MAX: Final = 1000
CHUNK_BYTES_MAX: Final = 256 * 1024
"""What leaves before replies are read: more, and both sides could wait for the other to read."""


def _queued(build: Callable[P, Command]) -> Callable[Concatenate["Queue", P], Any]:
    @wraps(build)
    def queue(self: "Queue", *given: P.args, **named: P.kwargs) -> Any:
        return self.add(build(*given, **named))

    return queue  # type: ignore[return-value]


class Queue:
    """The commands so far. Each method is the client's own, and returns the queue."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def __len__(self) -> int:
        return len(self.commands)

    def add(self, command: Command) -> Any:
        """Add a command; what this returns its method returns.

        Raises:
            TypeError: a word is no key, value or argument. The queue is as it was.
        """
        check(command.words)
        self.commands.append(command)
        return self

    get = _queued(commands.get)
    set = _queued(commands.set)
    put = _queued(commands.set)
    append = _queued(commands.append)
    delete = _queued(commands.delete)
    exists = _queued(commands.exists)
    delex = _queued(commands.delex)
    mget = _queued(commands.mget)
    mset = _queued(commands.mset)
    get_versioned = _queued(commands.get_versioned)
    cas = _queued(commands.cas)
    incr = _queued(commands.incr)
    incrbyfloat = _queued(commands.incrbyfloat)
    getdel = _queued(commands.getdel)
    getex = _queued(commands.getex)
    expire = _queued(commands.expire)
    pexpire = _queued(commands.pexpire)
    ttl = _queued(commands.ttl)
    pttl = _queued(commands.pttl)
    persist = _queued(commands.persist)


def chunks(queued: Sequence[Command]) -> Sequence[Sequence[Command]]:
    """Return the commands in pieces that may leave before any reply is read."""
    if len(queued) == 1:
        return (queued,)
    pieces: list[list[Command]] = []
    size = CHUNK_BYTES_MAX
    for command in queued:
        if size >= CHUNK_BYTES_MAX or len(pieces[-1]) >= CHUNK_COMMANDS_MAX:
            pieces.append([])
            size = 0
        pieces[-1].append(command)
        size += sum(map(_size, command.words))
    return pieces


def ran_out(calls: Sequence[Call]) -> bool:
    """Did the patience for calls that left together end before their answers came?"""
    for call in calls:
        if call.error is not None and isinstance(call.error, Timeout | Unavailable):
            return True
    return False


def unsent(commands: Sequence[Command]) -> list[Call]:
    """Return the calls of commands that were not sent, for those before them were not answered."""
    return [
        Call.failed(
            command,
            Timeout(
                f"{command.name} was not sent: what stood before it was not answered in time",
                outcome="not_applied",
                next_step="try again; `pnyx health` shows which nodes are up",
            ),
        )
        for command in commands
    ]


def _size(word: Value) -> int:
    if isinstance(word, memoryview):
        return word.nbytes
    return len(word) if isinstance(word, bytes | bytearray | str) else 16
