"""V-8: 100,000 clients put, and 100,000 get; what the server remembers of each.

Puts may cost 200 bytes a client with sessions; those come later, so what is measured here is a
store without: requests, forwards and answers. Gets need no memory at all.
"""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.clients import first_leader
from pnyx.lab.scenarios.memory import clients_once, most_held
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get, Set

CLIENTS = 100_000
WARM_UP = 2_000
VALUE = b"v" * 100


@scenario(
    "V-8",
    about="100,000 clients cost the server at most 200 bytes each after puts, 10 after gets",
    source="MIT 6.5840 2024 lab 2, TestMemPutManyClients, TestMemGetManyClients",
    nodes=3,
    compact_bytes=100_000,
)
def many_clients(stage: WorldStage) -> Script:
    """Put once for each client, then get once for each other one."""
    yield from first_leader(stage)
    yield from clients_once(stage, WARM_UP, lambda _: Set(b"k", VALUE))
    before = most_held(stage)
    yield from clients_once(stage, CLIENTS, lambda _: Set(b"k", VALUE), WARM_UP)
    after_puts = most_held(stage)
    stage.budget("bytes per client after puts", max(after_puts - before, 0) / CLIENTS, 200)
    yield from clients_once(stage, CLIENTS, lambda _: Get(b"k"), WARM_UP)
    grown = max(most_held(stage) - after_puts, 0)
    stage.budget("bytes per client after gets", grown / CLIENTS, 10)
