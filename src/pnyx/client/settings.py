"""What a client was told when it was made, and what it says to a node first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pnyx.client.command import Command
from pnyx.client.url import Target, parsed
from pnyx.client.wire import Words

TIMEOUT_S_DEFAULT: Final = 10.0
TIMEOUT_S_MAX: Final = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """One client's settings; the same for both faces."""

    target: Target
    timeout_s: float
    """How long a call may take, all attempts together."""
    decode: bool

    exactly_once: bool
    """Do writes carry numbers of a session?"""

    def wanted(self, piece: Sequence[Command]) -> int:
        """Return how many of the commands want a number."""
        return sum([command.is_once for command in piece]) if self.exactly_once else 0

    def greeting(self) -> tuple[Words, ...]:
        """Return what is said on each new connection before anything else."""
        words: tuple[Words, ...] = (("CLIENT", "SETINFO", "LIB-NAME", "pnyx"),)
        if self.target.password is not None:
            words = (("AUTH", self.target.password), *words)
        return words


def settled(
    url: str, *, password: str | None, timeout_s: float, decode: bool, exactly_once: bool
) -> Settings:
    """Return the settings of a client.

    Raises:
        AddressWrong: the URL cannot be meant.
        ValueError: the timeout is out of its range.
    """
    if not 0 < timeout_s <= TIMEOUT_S_MAX:
        raise ValueError(f"timeout_s is {timeout_s}; it is more than 0, at most {TIMEOUT_S_MAX:g}")
    target = parsed(url)
    if password:
        target = Target(target.seeds, password)
    return Settings(target, timeout_s, decode, exactly_once)
