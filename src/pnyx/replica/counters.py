"""What a replica has done since its start, as plain integers for whoever shows them."""

from dataclasses import astuple, dataclass


@dataclass(slots=True)
class Counters:
    """Only ever grow."""

    proposals: int = 0
    requests_done: int = 0
    commands_applied: int = 0
    entries_applied: int = 0
    reads_done: int = 0
    read_rounds: int = 0
    forwarded: int = 0
    parked: int = 0
    superseded: int = 0
    unknown: int = 0
    not_done: int = 0
    snapshots_sent: int = 0
    snapshots_installed: int = 0
    elections_won: int = 0


def total(*several: Counters) -> Counters:
    """Return what they count together."""
    return Counters(*map(sum, zip(*map(astuple, (Counters(), *several)), strict=True)))
