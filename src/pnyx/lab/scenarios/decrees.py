"""What the P-* scenarios share: peers that agree on many instances, and nothing else.

`Start`, `Status`, `Done`, `Min` and `Max` are called on a peer as a program on its host would.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from pnyx.consensus.instances.peer import Fate, Status
from pnyx.lab.lessons.decreejudge import DecreeJudge, peer_of
from pnyx.lab.lessons.decrees import LETTERS, Decrees
from pnyx.lab.lessons.stage import Lesson, LessonStage
from pnyx.lab.lessons.world import UNRELIABLE
from pnyx.lab.scenario import Scenario, Script, Until, scenario

WAIT_US: Final = 30_000_000
"""The original's thirty polls, the late ones a second each."""
BLOCKED_US: Final = 3_000_000
SOURCE: Final = "MIT 6.824 2015, lab 3A (paxos)"

DECREES: Final = Lesson(
    "multi-instance",
    "one Paxos for each of many numbered instances; nobody is in charge",
    Decrees,
    LETTERS,
    DecreeJudge,
)


def decree_scenario(
    identifier: str, test: str, *, about: str, nodes: int, **more: Any
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make the decorated script a scenario of peers without a service."""
    source = f"{SOURCE}, {test}" if test.startswith("Test") else test
    more.setdefault("profile", UNRELIABLE)
    return scenario(identifier, about=about, source=source, nodes=nodes, lesson=DECREES, **more)


def start(stage: LessonStage, number: int, seq: int, value: bytes) -> None:
    """Call Start on a peer."""
    stage.host(number).act(lambda: peer_of(stage.host(number)).start(seq, value))


def done(stage: LessonStage, number: int, seq: int) -> None:
    """Call Done on a peer."""
    stage.host(number).act(lambda: peer_of(stage.host(number)).done(seq))


def status(stage: LessonStage, number: int, seq: int) -> Status:
    """Call Status on a peer."""
    return peer_of(stage.host(number)).status(seq)


def lowest(stage: LessonStage, number: int) -> int:
    """Call Min on a peer."""
    return peer_of(stage.host(number)).min


def highest(stage: LessonStage, number: int) -> int:
    """Call Max on a peer."""
    return peer_of(stage.host(number)).max


def deciders(stage: LessonStage, seq: int) -> list[int]:
    """Return which peers know the decision of an instance, or knew it and have forgotten it."""
    return [
        number
        for number in stage.numbers
        if stage.host(number).node is not None
        and status(stage, number, seq).fate is not Fate.PENDING
    ]


def decided(stage: LessonStage, seqs: Iterable[int], count: int = 0) -> Script:
    """Wait until at least `count` peers, or all, know each of these."""
    wanted = count or stage.nodes
    for seq in seqs:
        reached = yield Until(partial(_is_decided, stage, seq, wanted), WAIT_US)
        stage.check(
            reached,
            f"instance {seq}: {deciders(stage, seq)} know the decision after "
            f"{WAIT_US / 1e6:.0f} s, of {wanted} wanted",
        )


def _is_decided(stage: LessonStage, seq: int, count: int) -> bool:
    return len(deciders(stage, seq)) >= count
