"""What Raft's scenarios share: find the leader, and get one command agreed."""

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any, Final

from pnyx.lab.scenario import Failed, Sleep, Stage, Step, Until
from pnyx.lab.stage import WorldStage

ELECTED_US: Final = 5_000_000
"""How long it may take until there is a leader."""
ATTEMPT_US: Final = 2_000_000
"""How long one attempt waits before another leader is looked for."""
AGREE_US: Final = 10_000_000
PAUSE_US: Final = 50_000


def numbered(start: int = 101) -> Iterator[bytes]:
    """Yield values that are all different."""
    return (b"%d" % number for number in count(start))


def everybody(stage: Stage) -> tuple[int, ...]:
    """Return all nodes."""
    return tuple(range(1, stage.nodes + 1))


def beyond(stage: Stage, node: int, steps: int) -> int:
    """Return the node so many steps after `node`, round about."""
    return (node - 1 + steps) % stage.nodes + 1


def connected(stage: WorldStage, among: Sequence[int] = ()) -> list[int]:
    """Return who runs and is not isolated."""
    asked = among or everybody(stage)
    return [node for node in asked if stage.running(node) and node not in stage.away]


def leader_among(stage: WorldStage, among: Sequence[int] = ()) -> int:
    """Return the leader that no connected node has outlived, or 0; fail if a term has two."""
    here = connected(stage, among)
    leading = [node for node in stage.leaders() if node in here]
    terms = [stage.term(node) for node in leading]
    stage.check(len(set(terms)) == len(terms), f"a term has two leaders: {leading} in {terms}")
    if not leading:
        return 0
    leader = max(leading, key=stage.term)
    return leader if stage.term(leader) >= max(map(stage.term, here)) else 0


def one_leader(stage: WorldStage, among: tuple[int, ...] = ()) -> Generator[Step, Any, int]:
    """Wait for a leader that is not deposed among the connected nodes; return it."""
    elected = yield Until(lambda: leader_among(stage, among) > 0, ELECTED_US)
    stage.check(elected, f"nobody of {connected(stage, among)} was elected within 5 s")
    return leader_among(stage, among)


def no_leader(stage: WorldStage) -> None:
    """Fail if a connected node believes to lead."""
    leading = [node for node in stage.leaders() if node not in stage.away]
    stage.check(not leading, f"{leading} believe to lead without a quorum")


def agree(
    stage: WorldStage, value: bytes, *, expected: int, retry: bool = True
) -> Generator[Step, Any, int]:
    """Get `value` applied by at least `expected` nodes; return its number."""
    deadline_us = stage.now_us + AGREE_US
    while stage.now_us < deadline_us:
        number = 0
        for node in sorted(stage.leaders(), key=stage.term, reverse=True):
            number = 0 if node in stage.away else stage.propose(node, value)
            if number:
                break
        if number:
            settled = yield Until(partial(_is_agreed, stage, number, value, expected), ATTEMPT_US)
            if settled:
                return number
            if not retry:
                break
        yield Sleep(PAUSE_US)
    raise Failed(f"{value!r} was not agreed by {expected} nodes within {AGREE_US / 1e6:.0f} s")


def settle(stage: WorldStage, number: int, expected: int) -> Generator[Step, Any, None]:
    """Wait until `expected` nodes have applied the command of that number."""
    reached = yield Until(lambda: stage.committed(number) >= expected, AGREE_US)
    stage.check(
        reached, f"command {number} was applied by {stage.committed(number)} nodes, not {expected}"
    )


def same_everywhere(stage: WorldStage, value: bytes) -> None:
    """Fail unless every node's own space holds `value`, which was agreed last."""
    held = {node: stage.stored(node, b"value") for node in everybody(stage)}
    stage.check(set(held.values()) == {value}, f"{value!r} was agreed last, nodes hold {held}")


def _is_agreed(stage: WorldStage, number: int, value: bytes, expected: int) -> bool:
    return stage.committed(number) >= expected and stage.value(number) == value
