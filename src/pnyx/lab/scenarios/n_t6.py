"""N-T6: 20 clients with an end each call at the same time."""

from pnyx.lab.scenario import Script, Until, scenario
from pnyx.lab.scenarios.calls import FUNCTIONS, Calls
from pnyx.lab.stage import WorldStage

CLIENTS, COUNT = 20, 10


@scenario(
    "N-T6",
    about="calls of many ends at once are all answered and counted",
    source="MIT 6.5840, labrpc TestConcurrentMany",
    nodes=0,
)
def concurrent_many(stage: WorldStage) -> Script:
    """Let 20 clients call ten times each."""
    calls = Calls(stage)
    echo = calls.serve(1, FUNCTIONS)
    answered = [0] * CLIENTS

    def client(number: int) -> Script:
        end = calls.end(1)
        for sent in range(COUNT):
            argument = number * 100 + sent
            ring = end.call("text", argument)
            yield ring.over(1_000_000)
            stage.check(ring.result == f"handler2-{argument}", f"{argument}: {ring.result!r}")
            answered[number] += 1

    for number in range(CLIENTS):
        stage.spawn(client(number))
    yield Until(lambda: sum(answered) == CLIENTS * COUNT, 10_000_000)
    stage.budget("calls answered", sum(answered), CLIENTS * COUNT, CLIENTS * COUNT)
    stage.budget("calls received", echo.received, CLIENTS * COUNT, CLIENTS * COUNT)
