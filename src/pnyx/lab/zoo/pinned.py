"""A seed for each planted bug that catches it at once. Made by `pnyx lab zoo hunt --all`."""

from typing import Final, NamedTuple


class Pin(NamedTuple):
    """One hunt's end."""

    seed: int
    """A run of the swarm in which the bug is caught."""
    invariant: str
    """Which broke first."""
    runs: int
    """How many runs the hunt took, this one included."""


PINNED: Final[dict[str, Pin]] = {}
