"""R-X3: five nodes, split two and three for ten seconds with writes on both sides, then merged."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from pnyx.lab.scenario import Call, Script, Sleep, Stage, Until, scenario
from pnyx.lab.scenarios.agreement import beyond, everybody
from pnyx.lab.scenarios.counter import returned
from pnyx.machine.commands import Get, Set
from pnyx.replica.requests import Done

SPLIT_US: Final = 10_000_000
THINK_US: Final = 20_000
CALM_US: Final = 500_000
"""Writes before the split and after the merge."""
PAUSE_US_MAX: Final = 5_000_000
"""How long the three may be without an acknowledged write: a new leader, and the outcome of what
was passed on to the old one."""
CONVERGE_US: Final = 10_000_000
ANSWER_US_MAX: Final = 5_000_000


@dataclass(slots=True)
class _Writer:
    """A client of one side: a key of its own for each write."""

    name: str
    nodes: tuple[int, ...]
    stopped: bool = False
    ended: bool = False
    written: list[bytes] = field(default_factory=list)
    acknowledged: dict[bytes, int] = field(default_factory=dict)
    """By key, when that was."""

    def longest_pause_us(self, from_us: int, to_us: int) -> int:
        """Return the longest time without an acknowledgement between those two times."""
        times = [at for at in self.acknowledged.values() if from_us < at < to_us]
        marks = [from_us, *times, to_us]
        return max(after - before for before, after in pairwise(marks))


@scenario(
    "R-X3",
    about="a split loses nothing acknowledged, the majority serves, all converge after it",
    source="scenarios of Raft §5.4 and §6: split, write on both sides, merge",
    nodes=5,
    real=True,
)
def split_and_merge(stage: Stage) -> Script:
    """Write on both sides before, during and after the split; compare all five nodes."""
    led = yield Until(lambda: stage.leader() is not None, 5_000_000)
    leader = stage.leader()
    stage.check(led and leader is not None, "nobody leads")
    assert leader is not None, "checked"
    # With the old leader among the two, or a follower of it.
    first = beyond(stage, leader, stage.below(stage.nodes, "split"))
    two = (first, beyond(stage, first, 1))
    three = tuple(node for node in everybody(stage) if node not in two)
    writers = [_Writer("two", two), _Writer("three", three)]
    for writer in writers:
        stage.spawn(_write(stage, writer))
    yield Sleep(CALM_US)
    stage.partition(two, three)
    split_us = stage.now_us
    yield Sleep(SPLIT_US)
    stage.heal()
    healed_us = stage.now_us
    yield Sleep(CALM_US)
    for writer in writers:
        writer.stopped = True
    ended = yield Until(lambda: all(writer.ended for writer in writers), ANSWER_US_MAX)
    stage.check(ended, "a client's write is still open long after the merge")

    small, large = writers
    led_on = leader in three
    allowed = PAUSE_US_MAX // 5 if led_on else PAUSE_US_MAX
    pause_us = large.longest_pause_us(split_us, healed_us)
    stage.budget("us without an acknowledged write of the three", pause_us, allowed)
    late = [at for at in small.acknowledged.values() if split_us + 1_000_000 < at < healed_us]
    stage.check(not late, f"two of five acknowledged {len(late)} writes behind the split")
    yield from _compare(stage, writers)


def _write(stage: Stage, writer: _Writer) -> Script:
    """Write one key after the other, each at the next node of the side."""
    while not writer.stopped:
        count = len(writer.written)
        key = f"{writer.name}/{count}".encode()
        writer.written.append(key)
        call = stage.call(writer.nodes[count % len(writer.nodes)], Set(key, key))
        over = yield Until(returned(call), ANSWER_US_MAX)
        stage.check(over, f"the write of {key!r} was not answered within 5 s")
        if isinstance(call.answer, Done):
            writer.acknowledged[key] = stage.now_us
        yield Sleep(THINK_US)
    writer.ended = True


def _compare(stage: Stage, writers: list[_Writer]) -> Script:
    """Read every key at every node: all say the same, and nothing acknowledged is missing."""
    keys = [key for writer in writers for key in writer.written]
    kept = {key for writer in writers for key in writer.acknowledged}
    reads = tuple(Get(key) for key in keys)
    calls: list[Call] = []

    def are_done() -> bool:
        return all(isinstance(call.answer, Done) for call in calls)

    deadline_us = stage.now_us + CONVERGE_US
    while stage.now_us < deadline_us and not (calls and are_done()):
        calls[:] = [stage.call(node, *reads) for node in everybody(stage)]
        yield Until(returned(*calls), ANSWER_US_MAX)
    stage.check(are_done(), "not all five nodes answer after the merge")
    held = [call.answer.results for call in calls if isinstance(call.answer, Done)]
    stage.check(all(each == held[0] for each in held), "the five nodes differ after the merge")
    lost = [key for key, value in zip(keys, held[0], strict=True) if key in kept and value != key]
    stage.check(not lost, f"acknowledged, and lost: {lost}")
