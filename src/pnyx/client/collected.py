"""Pipelines, transactions and locks of the blocking client: what is more than one command."""

from random import random
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from pnyx.client import commands
from pnyx.client.command import Command
from pnyx.client.lock import Claim, not_taken, pause_s
from pnyx.client.pipeline import Queue
from pnyx.client.runner import Runner
from pnyx.client.transaction import Plan
from pnyx.client.wire import Value


class Pipeline(Queue):
    """Commands that leave together when `execute` is called, and are no transaction.

    Those to one node are done in order, unless one must be sent again; others' may come between.
    """

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self._runner = runner

    def execute(self, *, raise_on_error: bool = True) -> list[Any]:
        """Send everything, empty the pipeline, and return the results in order.

        All commands are tried whatever becomes of those before them. The first error is then
        raised, or with `raise_on_error` off the errors stand in the list.
        """
        queued, self.commands = self.commands, []
        calls = self._runner.run(queued)
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


class Transaction(Plan):
    """Commands that are done at once, or not at all if a watched key has changed until then.

    As in redis-py: with watched keys commands are carried out at once, to read what is there, until
    `multi` is called; from then on they are queued, and done by `execute`.
    """

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self._runner = runner

    def watch(self, *keys: Value) -> None:
        """Let the transaction do nothing if one of the keys changes from now on."""
        calls = self._runner.run([commands.get_versioned(key) for key in keys])
        for key, call in zip(keys, calls, strict=True):
            self.saw(key, call.outcome().revision)

    def add(self, command: Command) -> Any:
        """Queue a command, or before `multi` carry it out and return its result."""
        return super().add(command) if self.is_open else self._runner.one(command)

    def execute(self) -> list[Any]:
        """Do what was queued, at once, and return the results in order.

        If nothing was, what was read of watched keys was there at one moment.

        Raises:
            WatchError: a watched key has changed; nothing was done.
            CrossSlot: the keys do not share a slot; nothing was done.
            Refused: a command was wrong for the value that is there; the others were done.
        """
        if not self.commands and not self.watched:
            return []
        return self.results(self._runner.one(self.exec()))


class Lock:
    """A lock among all clients of the cluster, whose holder's death opens it. Not reentrant.

    Its `token` is higher than that of every holder before: hand it to what the lock protects, and
    let that refuse lower ones than it has seen. Nothing renews the lock by itself: call `renew`
    before `ttl_ms` have passed. One object is for one thread.
    """

    def __init__(self, runner: Runner, name: Value, ttl_ms: int) -> None:
        self._runner = runner
        self._claim = Claim(name, ttl_ms)

    @property
    def token(self) -> int | None:
        """The fencing token; None while the lock is not held, as far as is known here."""
        return self._claim.token

    def acquire(self, *, wait_s: float = 10.0) -> bool:
        """Take the lock; return False if others held it for `wait_s` seconds (0: try once).

        Raises:
            Timeout: whether it was taken is unknown; if it was, it opens after `ttl_ms`.
            RuntimeError: this object holds it already, and goes on holding it.
        """
        ends_s = monotonic() + wait_s
        attempt = 0
        while not self._claim.acquired(self._runner.one(self._claim.acquire())):
            left_s = ends_s - monotonic()
            if left_s <= 0:
                return False
            sleep(min(pause_s(attempt, random()), left_s))  # noqa: S311 - jitter, no secret
            attempt += 1
        return True

    def renew(self) -> None:
        """Hold the lock for another `ttl_ms` from now; the token stays.

        Raises:
            LockLost: its time had run out, and somebody else may hold it.
            RuntimeError: it was not taken, or released already.
        """
        self._claim.kept(self._runner.one(self._claim.renew()))

    def release(self) -> None:
        """Open the lock.

        Raises:
            LockLost: its time had run out; somebody else's lock is left alone.
            RuntimeError: it was not taken, or released already.
        """
        self._claim.kept(self._runner.one(self._claim.release()))
        self._claim.token = None

    def __enter__(self) -> Self:
        if not self.acquire():
            raise not_taken()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
