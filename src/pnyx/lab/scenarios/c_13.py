"""C-13: the controller's log is trimmed, its history is not."""

from pnyx.lab.scenario import Script, Sleep
from pnyx.lab.scenarios.operators import controller_scenario, founded, settled
from pnyx.lab.stage import WorldStage
from pnyx.machine.configuration import Configuration

LOG_BYTES = 1_000
ROUNDS = 12
SETTLE_US = 2_000_000


@controller_scenario(
    "C-13",
    about="after many changes every log is short, and every configuration is still there",
    source="MIT 6.824 lab 4A, TestUnreliable: Min advances (2015)",
    compact_bytes=LOG_BYTES,
)
def trimmed(stage: WorldStage) -> Script:
    """Change much while one node is down; then cut everybody's power and read all of it."""
    operator, carrier = yield from founded(stage)
    away = 1 + stage.below(stage.nodes, "who is down")
    made: list[Configuration] = [(yield from operator.query()), (yield from operator.join(1))]
    stage.crash(away)
    for group in range(2, 2 + ROUNDS):
        made.append((yield from operator.join(group)))
        yield from settled(operator)
        if group % 3 == 0:
            made.append((yield from operator.leave(group - 1)))
    yield from settled(operator)
    carrier.stopped = True
    stage.restart(away)
    yield Sleep(SETTLE_US)
    for node in range(1, stage.nodes + 1):
        replica = stage.process(node).replica
        compacted = 0 if replica is None else replica.consensus.compacted.index
        stage.check(compacted > 0, f"n{node} never compacted its log")
        stage.budget(f"bytes of n{node}'s log", stage.log_bytes(node), 8 * LOG_BYTES)
    for node in range(1, stage.nodes + 1):
        stage.crash(node)
    for node in range(1, stage.nodes + 1):
        stage.restart(node)
    for configuration in made:
        told = yield from operator.query(configuration.number)
        stage.check(told == configuration, f"{configuration} came back as {told}")
    stage.budget("configurations read", len(made), made[-1].number + 1, made[-1].number + 1)
