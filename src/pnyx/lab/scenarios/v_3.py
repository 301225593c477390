"""V-3: 20,000 clients put a kilobyte to one key; the server remembers none of them.

Sessions come later; what they may cost is V-8's budget.
"""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.clients import first_leader
from pnyx.lab.scenarios.memory import clients_once, most_held
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Set

CLIENTS = 20_000
WARM_UP = 2_000
VALUE = b"v" * 1000


@scenario(
    "V-3",
    about="a client that put once costs the server at most 10 bytes",
    source="MIT 6.5840 2026 lab 2, TestMemPutManyClientsReliable",
    nodes=3,
    compact_bytes=100_000,
)
def many_clients(stage: WorldStage) -> Script:
    """Put once for each client, and count what the nodes hold before and after."""
    yield from first_leader(stage)
    yield from clients_once(stage, WARM_UP, lambda _: Set(b"k", VALUE))
    before = most_held(stage)
    yield from clients_once(stage, CLIENTS, lambda _: Set(b"k", VALUE), WARM_UP)
    grown = max(most_held(stage) - before, 0)
    stage.budget("bytes per client", grown / CLIENTS, 10)
