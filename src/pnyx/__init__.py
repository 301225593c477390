"""pnyx: a replicated key-value store for Redis clients, and the Lab that proves it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pnyx import aio as aio
    from pnyx.client.blocking import Pnyx, connect
    from pnyx.client.errors import (
        AnswerLost,
        AuthError,
        CrossSlot,
        LockLost,
        NoQuorum,
        Refused,
        SessionExpired,
        Timeout,
        Unavailable,
        WatchError,
    )
    from pnyx.errors import PnyxError

__version__: Final = "0.1.0"

__all__ = [
    "AnswerLost",
    "AuthError",
    "CrossSlot",
    "LockLost",
    "NoQuorum",
    "Pnyx",
    "PnyxError",
    "Refused",
    "SessionExpired",
    "Timeout",
    "Unavailable",
    "WatchError",
    "connect",
]

_HOMES: Final = {
    "connect": "pnyx.client.blocking:connect",
    "Pnyx": "pnyx.client.blocking:Pnyx",
    "PnyxError": "pnyx.errors:PnyxError",
    **{
        name: f"pnyx.client.errors:{name}"
        for name in (
            "AnswerLost", "AuthError", "CrossSlot", "LockLost", "NoQuorum", "Refused",
            "SessionExpired", "Timeout", "Unavailable", "WatchError",
        )
    },
}  # fmt: skip
"""Loaded when first used: a node's process never needs the client."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if name == "aio":
        return import_module("pnyx.aio")
    if home is None:
        raise AttributeError(f"module 'pnyx' has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    return getattr(import_module(module), attribute)
