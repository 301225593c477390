"""What Raft's scenarios share: find the leader, and get one command agreed."""

from collections.abc import Generator
from typing import Any, Final

from pnyx.lab.scenario import Failed, Sleep, Step, Until
from pnyx.lab.stage import WorldStage

ATTEMPT_US: Final = 2_000_000
"""How long one attempt waits before another leader is looked for."""
AGREE_US: Final = 10_000_000
PAUSE_US: Final = 50_000


def one_leader(stage: WorldStage, among: tuple[int, ...] = ()) -> Generator[Step, Any, int]:
    """Wait for a leader that is not deposed among the connected nodes; return it."""
    asked = among or tuple(range(1, stage.nodes + 1))

    def found() -> bool:
        return any(node in asked for node in stage.leaders())

    elected = yield Until(found, 5_000_000)
    stage.check(elected, f"nobody of {asked} was elected within 5 s")
    return max((n for n in stage.leaders() if n in asked), key=stage.term)


def agree(
    stage: WorldStage, value: bytes, *, expected: int, retry: bool = True
) -> Generator[Step, Any, int]:
    """Get `value` applied by at least `expected` nodes; return its number."""
    deadline_us = stage.now_us + AGREE_US
    while stage.now_us < deadline_us:
        number = 0
        for node in stage.leaders():
            number = stage.propose(node, value)
            if number:
                break
        if number:
            settled = yield Until(
                lambda number=number: _is_agreed(stage, number, value, expected), ATTEMPT_US
            )
            if settled:
                return number
            if not retry:
                break
        yield Sleep(PAUSE_US)
    raise Failed(f"{value!r} was not agreed by {expected} nodes within {AGREE_US / 1e6:.0f} s")


def _is_agreed(stage: WorldStage, number: int, value: bytes, expected: int) -> bool:
    return stage.committed(number) >= expected and stage.value(number) == value
