"""X-P1: a command by itself takes three messages for each follower, on either engine.

Ask, answer, and the word that it is committed: with five nodes twelve, when no command waits for
another (paper counts of Multi-Paxos leave the third out; scenarios/budgets: at most 12). Signs of
life between nodes are no part of a command; that something is committed is told in a message of
its own, on both engines. If the answer to a sign of life overtakes the one to a command, the leader
takes that one for lost and asks once more: so the median is exact and the sum has a little room.
"""

from functools import partial
from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.agreement import one_leader
from pnyx.lab.stage import WorldStage

COUNT: Final = 50
EACH: Final = 12
AGAIN: Final = 12
"""Messages of commands that are asked for once more, and their answers."""
SETTLE_US: Final = 500_000
SIGNS_OF_LIFE: Final = frozenset({"Heartbeat", "HeartbeatReply", "Beat", "BeatReply"})
WITHIN_US: Final = 1_000_000
APART_US: Final = 5_000


@scenario(
    "X-P1",
    about="an unbatched command of five nodes takes twelve messages, heartbeats aside",
    source="MIT 6.5840 lab 3B, TestCount",
    nodes=5,
)
def messages_a_command(stage: WorldStage) -> Script:
    """Propose one at a time, each when all have applied the one before."""
    leader = yield from one_leader(stage)
    yield Sleep(SETTLE_US)
    term = stage.term(leader)
    used: list[int] = []
    for number in range(COUNT):
        before = _messages(stage)
        command = stage.propose(leader, b"%d" % number)
        stage.check(command > 0, f"n{leader} refuses command {number}")
        applied = yield Until(partial(_is_everywhere, stage, command), WITHIN_US)
        stage.check(applied, f"command {number} is not applied by all within 1 s")
        yield Sleep(APART_US)
        used.append(_messages(stage) - before)
    stage.check(stage.term(leader) == term, "an election came between: this counts something else")
    stage.budget("messages a command, the median", sorted(used)[COUNT // 2], EACH, 8)
    stage.budget("messages for 50 commands", sum(used), COUNT * EACH + AGAIN)


def _is_everywhere(stage: WorldStage, command: int) -> bool:
    return stage.committed(command) == stage.nodes


def _messages(stage: WorldStage) -> int:
    """Return how many messages all nodes have sent, answers included, signs of life not."""
    return sum(
        count
        for process in stage.world.processes.values()
        for kind, count in process.counts.messages.items()
        if kind not in SIGNS_OF_LIFE
    )
