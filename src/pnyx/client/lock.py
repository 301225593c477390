"""A lock that its holder's death opens, with a token that lets a resource refuse the one before.

The lock is a key whose value is its holder's secret, which dies after the lock's time to live. Its
token is the revision that made it: every later holder's is higher. A resource that remembers the
highest token it has seen, and refuses lower ones, is safe from a holder that was paused beyond its
time (Kleppmann, "How to do distributed locking", 2016): no lock alone can promise that.
"""

from secrets import token_bytes
from typing import Final

from pnyx.client import commands
from pnyx.client.command import Command
from pnyx.client.errors import LockLost, Timeout
from pnyx.client.wire import Value

TTL_MS_DEFAULT: Final = 30_000
WAITS_S: Final = (0.02, 0.25)
"""The first and the longest wait between two attempts to get a lock."""


class Claim:
    """One lock's key, secret and time, and the words for it. The faces send them."""

    def __init__(self, name: Value, ttl_ms: int) -> None:
        if ttl_ms < 1:
            raise ValueError(f"ttl_ms is {ttl_ms}; it is at least 1")
        self._name = name
        self._ttl_ms = ttl_ms
        self._secret = token_bytes(16)
        self.token: int | None = None
        """The fencing token while the lock is held, as far as is known here."""
        self._is_lost = False
        self._is_in_doubt = False
        """Was the last attempt to take it left without an answer?"""

    def acquire(self) -> Command:
        """Return the command whose reply `acquired` judges.

        Raises:
            RuntimeError: this object holds the lock already, and goes on holding it.
        """
        if self.token is not None:
            raise RuntimeError(
                f"the lock {self._name!r} is held by this object already; "
                "release it first, or wait for it with another lock object"
            )
        self._is_lost, self._is_in_doubt = False, True
        self._secret = token_bytes(16)
        return commands.cas(self._name, 0, self._secret, px=self._ttl_ms)

    def acquired(self, revision: int | None) -> bool:
        """Note what the attempt came to."""
        self.token, self._is_in_doubt = revision, False
        return revision is not None

    def renew(self) -> Command:
        """Return the command whose reply must be true for `kept`.

        Raises:
            LockLost: it was found lost before.
            RuntimeError: it was not taken, or released already.
        """
        self._check_held()
        return commands.set(self._name, self._secret, px=self._ttl_ms, ifeq=self._secret)

    def release(self) -> Command:
        """Return the command whose reply must be true for `kept`.

        Raises:
            LockLost: it was found lost before.
            RuntimeError: it was not taken, or released already.
        """
        # Whoever does not know whether it was taken may let it go all the same.
        if not self._is_in_doubt:
            self._check_held()
        return commands.delex(self._name, ifeq=self._secret)

    def kept(self, reply: bool | None) -> None:  # noqa: FBT001 - a reply
        """Check that the lock was still held.

        Raises:
            LockLost: its time had run out, or somebody deleted its key.
        """
        was_in_doubt, self._is_in_doubt = self._is_in_doubt, False
        if not reply and not was_in_doubt:
            self.token, self._is_lost = None, True
            raise self._lost()

    def _check_held(self) -> None:
        if self._is_lost:
            raise self._lost()
        if self.token is None:
            raise RuntimeError(
                f"the lock {self._name!r} is not held by this object: it was not taken, or "
                "released already; acquire it first, and leave its release to `with`"
            )

    def _lost(self) -> LockLost:
        return LockLost(
            f"the lock {self._name!r} was not held any more",
            cause=f"more than {self._ttl_ms} ms passed since it was taken or renewed, "
            "or its key was deleted",
            next_step="renew it more often, or give it a longer ttl_ms",
        )


def pause_s(attempt: int, draw: float) -> float:
    """Return how long to wait after the n-th attempt (from 0); `draw` is in [0, 1)."""
    span_s = min(WAITS_S[0] * 2.0**attempt, WAITS_S[1])
    return span_s * (0.5 + draw / 2)


def not_taken() -> Timeout:
    """Return the error of a `with` that did not get its lock."""
    return Timeout(
        "others held the lock for all that time; nothing was done", outcome="not_applied"
    )
