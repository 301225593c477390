"""V-8: 100,000 clients put, each in a session, and 100,000 get; what the server remembers of each.

A put leaves a record until its deadline. A get needs no session and no memory at all.
"""

from pnyx.lab.scenario import Script, scenario
from pnyx.lab.scenarios.clients import first_leader
from pnyx.lab.scenarios.memory import clients_once, most_held, opened
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Get

CLIENTS = 100_000
WARM_UP = 2_000
VALUE = b"v" * 100


@scenario(
    "V-8",
    about="100,000 clients cost the server at most 200 bytes each after puts in sessions, 10 after "
    "gets",
    source="MIT 6.5840 2024 lab 2, TestMemPutManyClients, TestMemGetManyClients",
    nodes=3,
    compact_bytes=100_000,
)
def many_clients(stage: WorldStage) -> Script:
    """Put once for each client, then get once for each other one."""
    yield from first_leader(stage)
    sessions = yield from opened(stage)
    yield from clients_once(stage, WARM_UP, lambda client: sessions.put(client, b"k", VALUE))
    before = most_held(stage)
    puts = clients_once(stage, CLIENTS, lambda client: sessions.put(client, b"k", VALUE), WARM_UP)
    yield from puts
    after_puts = most_held(stage)
    stage.budget("bytes per client after puts", (after_puts - before) / CLIENTS, 200, 50)
    yield from clients_once(stage, CLIENTS, lambda _: Get(b"k"), WARM_UP)
    grown = max(most_held(stage) - after_puts, 0)
    stage.budget("bytes per client after gets", grown / CLIENTS, 10)
