"""pnyx: a replicated key-value store for Redis clients, and the Lab that proves it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pnyx.client.blocking import Pnyx, connect
    from pnyx.client.errors import (
        AuthError,
        CrossSlot,
        NoQuorum,
        Refused,
        Timeout,
        Unavailable,
    )
    from pnyx.errors import PnyxError

__version__: Final = "0.1.0"

__all__ = [
    "AuthError",
    "CrossSlot",
    "NoQuorum",
    "Pnyx",
    "PnyxError",
    "Refused",
    "Timeout",
    "Unavailable",
    "connect",
]

_HOMES: Final = {
    "connect": "pnyx.client.blocking:connect",
    "Pnyx": "pnyx.client.blocking:Pnyx",
    "PnyxError": "pnyx.errors:PnyxError",
    **{
        name: f"pnyx.client.errors:{name}"
        for name in (
            "AuthError", "CrossSlot", "NoQuorum", "Refused", "Timeout", "Unavailable",
        )
    },
}  # fmt: skip
"""Loaded when first used: a node's process never needs the client."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pnyx' has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    return getattr(import_module(module), attribute)
