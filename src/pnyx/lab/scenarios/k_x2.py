"""K-X2: writes in sessions are sent again at any node, and copies of them come late."""

from typing import Final

from xxhash import xxh3_64_intdigest

from pnyx.lab.retries import Retries
from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.clients import Client, first_leader, over
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Append, Clock, Sequenced
from pnyx.machine.results import Refusal
from pnyx.machine.slots import slot_of
from pnyx.replica.requests import Done

CLIENTS: Final = 5
WRITES: Final = 24
KEYS: Final = (b"k", b"other")
LIFE_MS: Final = 2_500
"""From now to a write's deadline."""
PATIENCE_US: Final = 400_000
"""At most so long an answer is waited for before the write is sent again."""
THINK_US: Final = 40_000
END_US: Final = 60_000_000


@scenario(
    "K-X2",
    about="writes in sessions, sent again over crashes, new leaders and snapshots, are done once",
    source="docs/explanation/sessions.md",
    nodes=3,
    compact_bytes=3_000,
    prepare=lambda stage: stage.world.watches.add(Retries()),
)
def retried(stage: WorldStage) -> Script:
    """Append from several sessions while nodes come and go; look at what is there in the end."""
    yield from first_leader(stage)
    known: dict[int, set[bytes]] = {}
    for number in range(CLIENTS):
        stage.spawn(_write(stage, number, known))
    stage.spawn(_trouble(stage, known))
    ended = yield Until(lambda: len(known) == CLIENTS, END_US)
    stage.check(ended, f"{CLIENTS - len(known)} of {CLIENTS} clients still wait")
    reader = Client(stage, "reader")
    found: list[bytes] = []
    for key in KEYS:
        value = yield from reader.get(key)
        found += [token.strip(b";") for token in value.split(b";") if token]
    stage.check(len(found) == len(set(found)), f"a token is there twice: {found}")
    for acknowledged in known.values():
        missing = sorted(acknowledged - set(found))
        stage.check(not missing, f"{missing} were acknowledged and are not there")
    least = CLIENTS * WRITES // 2
    stage.budget("acknowledged writes", sum(map(len, known.values())), CLIENTS * WRITES, least)
    yield Sleep(2_000 * LIFE_MS)


def _write(stage: WorldStage, number: int, known: dict[int, set[bytes]]) -> Script:
    client = Client(stage, f"client {number}")
    session = number.to_bytes(16, "big")
    clock = yield from client.ask(Clock())
    assert clock is not None, "reads are known"
    assert isinstance(clock[0], int), "a clock is a number"
    base_ms = clock[0] - stage.now_us // 1000
    acknowledged: set[bytes] = set()
    for sequence in range(1, WRITES + 1):
        key = KEYS[stage.below(len(KEYS), f"key of {number}")]
        token = b"%d.%d" % (number, sequence)
        write = Append(key, token + b";")
        send = Sequenced(
            slot_of(key),
            session,
            b"default",
            sequence,
            sequence - 1,
            base_ms + stage.now_us // 1000 + LIFE_MS,
            xxh3_64_intdigest(write.value),
            write,
        )
        done = False
        told = ""
        while not done and not told.startswith("UNKNOWN"):
            node = 1 + stage.below(stage.nodes, f"node of {number}")
            if stage.running(node):
                call = stage.call(node, send)
                yield over(call, 5_000 + stage.below(PATIENCE_US, f"patience of {number}"))
                result = call.answer.results[0] if isinstance(call.answer, Done) else None
                done = isinstance(result, int)
                told = result.text if isinstance(result, Refusal) else ""
                stage.check(not told.startswith("ERR"), told)
            yield Sleep(stage.below(THINK_US, f"thought of {number}"))
        if done:
            acknowledged.add(token)
        if stage.below(3, f"copy of {number}") == 0:
            stage.spawn(_late_copy(stage, number, send))
    known[number] = acknowledged


def _late_copy(stage: WorldStage, number: int, send: Sequenced) -> Script:
    """A copy that some network has held: up to twice as long as the write may live."""
    yield Sleep(1_000 * stage.below(2 * LIFE_MS, f"lateness of {number}"))
    node = 1 + stage.below(stage.nodes, f"late node of {number}")
    if stage.running(node):
        yield over(stage.call(node, send), PATIENCE_US)


def _trouble(stage: WorldStage, known: dict[int, set[bytes]]) -> Script:
    while len(known) < CLIENTS:
        yield Sleep(200_000 + stage.below(700_000, "calm"))
        leader = stage.leader()
        node = 1 + stage.below(stage.nodes, "victim")
        if leader is not None and stage.below(2, "at the leader"):
            node = leader
        kind = stage.below(3, "trouble")
        (stage.crash, stage.isolate, stage.pause)[kind](node)
        yield Sleep(100_000 + stage.below(900_000, "trouble lasts"))
        (stage.restart, stage.rejoin, stage.resume)[kind](node)
