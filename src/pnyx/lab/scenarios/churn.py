"""Churn: clients propose at all nodes while nodes leave, come back and lose their power."""

from typing import Final

from pnyx.lab.scenario import Script, Sleep, Until
from pnyx.lab.scenarios.agreement import agree, everybody, one_leader, same_everywhere
from pnyx.lab.stage import WorldStage

ROUNDS: Final = 20
CLIENTS: Final = 3
LOOKS_MS: Final = (10, 20, 50, 100, 200)
THINK_US: Final = 20_000
"""Between two proposals; the original has no pause, but its calls take time."""


class _Churn:
    """What the clients of one run share."""

    def __init__(self) -> None:
        self.stopped = False
        self.ended = 0
        self.seen: list[bytes] = []
        """What a client saw committed."""


def churn(stage: WorldStage) -> Script:
    """Twenty rounds of churn; then everything that a client saw committed is in the log."""
    yield from one_leader(stage)
    run = _Churn()
    for client in range(CLIENTS):
        stage.spawn(_client(stage, run, client))
    for _ in range(ROUNDS):
        if stage.below(1_000, "isolate") < 200:
            stage.isolate(1 + stage.below(stage.nodes, "isolate whom"))
        if stage.below(1_000, "restart") < 500:
            node = 1 + stage.below(stage.nodes, "restart whom")
            stage.restart(node)
            stage.rejoin(node)
        if stage.below(1_000, "crash") < 200:
            stage.crash(1 + stage.below(stage.nodes, "crash whom"))
        yield Sleep(700_000)
    yield Sleep(stage.election_us)
    stage.reliable(reliable=True)
    for node in everybody(stage):
        stage.restart(node)
        stage.rejoin(node)
    run.stopped = True
    ended = yield Until(lambda: run.ended == CLIENTS, 5_000_000)
    stage.check(ended, "a client did not end")
    yield Sleep(stage.election_us)
    last = yield from agree(stage, b"last", expected=5)
    log = [stage.value(number) for number in range(1, last + 1)]
    stage.check(None not in log, "a command in the log is nobody's")
    lost = [value for value in run.seen if value not in set(log)]
    stage.check(not lost, f"clients saw {lost} committed, and they are not in the log")
    stage.check(bool(run.seen), "no client saw anything committed: nothing was tested")
    behind = [node for node in everybody(stage) if stage.applied(node) < last]
    stage.check(not behind, f"{behind} have not applied all {last} commands")
    same_everywhere(stage, b"last")


def _client(stage: WorldStage, run: _Churn, client: int) -> Script:
    """Propose one value after the other at all nodes, and look whether it is committed."""
    proposed = 0
    while not run.stopped:
        proposed += 1
        value = b"%d/%d" % (client, proposed)
        number = 0
        for node in everybody(stage):
            number = stage.propose(node, value) or number
        if not number:
            yield Sleep(1_000 * (79 + 17 * client))
            continue
        for look_ms in LOOKS_MS:
            if stage.committed(number) > 0:
                if stage.value(number) == value:
                    run.seen.append(value)
                break
            yield Sleep(1_000 * look_ms)
        yield Sleep(THINK_US)
    run.ended += 1
