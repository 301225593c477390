"""V-3: 20,000 clients, each with a session, put a kilobyte to one key; the server forgets them.

The text has two numbers for two servers. One remembers clients: 200 bytes each, which is held to
while the sessions last. One remembers none: 10 bytes, held to once their deadlines have passed.
"""

from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.clients import first_leader
from pnyx.lab.scenarios.memory import FORGOTTEN_US, clients_once, most_held, opened
from pnyx.lab.stage import WorldStage

CLIENTS = 20_000
WARM_UP = 2_000
VALUE = b"v" * 1000


@scenario(
    "V-3",
    about="a client that put once in a session costs the server at most 200 bytes, later 10",
    source="MIT 6.5840 2025 and 2026 lab 2, TestMemPutManyClientsReliable",
    nodes=3,
    compact_bytes=100_000,
    limit_us=4 * FORGOTTEN_US,
)
def many_clients(stage: WorldStage, clients: int = CLIENTS, held_max: int = 200) -> Script:
    """Put once for each client, and count what the nodes hold before, after, and later.

    Few clients hold more each: records that are kept decoded, and the log.
    """
    yield from first_leader(stage)
    sessions = yield from opened(stage)
    yield from clients_once(stage, WARM_UP, lambda client: sessions.put(client, b"k", VALUE))
    yield Sleep(FORGOTTEN_US)
    before = most_held(stage)
    sessions = yield from opened(stage)
    puts = clients_once(stage, clients, lambda client: sessions.put(client, b"k", VALUE), WARM_UP)
    yield from puts
    grown = max(most_held(stage) - before, 0)
    stage.budget("bytes per client while its session lasts", grown / clients, held_max, 50)
    yield Sleep(FORGOTTEN_US)
    grown = max(most_held(stage) - before, 0)
    stage.budget("bytes per client after its deadline", grown / clients, 10)
