"""What a forked child must not share with its parent: connections, and the numbers of sessions.

Two processes that give one number to two writes would lose one of them without a word.
"""

import os
from typing import Final, Protocol
from weakref import WeakSet


class Forgetful(Protocol):
    """Something that starts anew in a forked child."""

    def forget(self) -> None: ...


_EVERY: Final["WeakSet[Forgetful]"] = WeakSet()


def forget_in_children(one: Forgetful) -> None:
    """Have `one` forget what it has in every child that is forked from now on."""
    _EVERY.add(one)


def _after_fork() -> None:
    for one in list(_EVERY):
        one.forget()


os.register_at_fork(after_in_child=_after_fork)
