"""MIT's generic test of a replicated key-value store: clients append and read while it is hurt.

Three times 5 s. Each client has a key of its own and keeps what it appended there, or all clients
share random keys and only the linearizability of the whole history judges them. Without sessions
a client does not repeat an append of unknown outcome (see clients.py), so such a one is there once
or not at all, and every acknowledged one exactly once and in the client's order; with sessions,
later, it is retried and has to be there.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from pnyx.lab.history import History
from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Scenario, Script, Sleep, Stage, Until, add
from pnyx.lab.scenarios.clients import (
    THINK_US,
    Appended,
    Client,
    check_linearizable,
    first_leader,
    token_of,
    why_wrong,
)
from pnyx.lab.stage import WorldStage

ITERATIONS: Final = 3
ITERATION_US: Final = 5_000_000
CALM_US: Final = 1_000_000
"""Before the first partition of an iteration."""
ANSWERS_MIN: Final = 3
"""Of each client per iteration, reads and writes: a second is calm in each."""
END_US: Final = 30_000_000
"""Clients have ended their last operation within this after the last fault."""
LOG_FACTOR: Final = 8
SEGMENT_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Table:
    """One row of the table of tests."""

    clients: int
    lossy: bool = False
    crash: bool = False
    partition: bool = False
    random_keys: bool = False
    log_bytes: int = 0
    """maxraftstate; 0 for never to compact."""


@dataclass(slots=True)
class Trial:
    """What is going on in one iteration."""

    stage: Stage
    table: Table
    history: History
    number: int
    over: bool = False
    """Clients begin nothing new."""
    working: int = 0
    """Clients and partitioners that have not ended."""
    appends: list[list[Appended]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """How many reads and acknowledged writes each client got."""


def kvraft(stage: Stage, table: Table) -> Script:
    """Hurt the cluster under load, three times, and look at what is left."""
    history = History("kv-append")
    yield from first_leader(stage)
    if table.lossy:
        stage.reliable(reliable=False)
    for number in range(ITERATIONS):
        trial = Trial(stage, table, history, number)
        yield from _iteration(trial)
        yield from _look(trial)
    check_linearizable(stage, history)


def _iteration(trial: Trial) -> Script:
    stage, table = trial.stage, trial.table
    trial.appends = [[] for _ in range(table.clients)]
    trial.answers = [0] * table.clients
    for client in range(table.clients):
        trial.working += 1
        stage.spawn(_client(trial, client))
    yield Sleep(CALM_US)
    if table.partition:
        trial.working += 1
        stage.spawn(_partitioner(trial))
    yield Sleep(ITERATION_US - CALM_US)
    trial.over = True
    if table.partition:
        # Until the partitioner has seen it, and nobody is cut off again.
        yield Sleep(1_300_000)
        stage.heal()
        yield Sleep(stage.election_us)
    ended = yield Until(lambda: trial.working == 0, END_US)
    stage.check(ended, f"a client still waits {END_US / 1e6:.0f} s after the last fault")
    if table.crash:
        for node in range(1, stage.nodes + 1):
            stage.crash(node)
        yield Sleep(stage.election_us)
        for node in range(1, stage.nodes + 1):
            stage.restart(node)


def _client(trial: Trial, number: int) -> Script:
    table = trial.table
    name = f"{trial.number}.{number}"
    client = Client(trial.stage, name, trial.history, lossy=table.lossy)
    act = _random_key if table.random_keys else _own_key
    while not trial.over:
        yield from act(trial, client, number)
        yield Sleep(THINK_US)
    trial.working -= 1


def _own_key(trial: Trial, client: Client, number: int) -> Script:
    stage, appends = trial.stage, trial.appends[number]
    key = _key(trial, number)
    if stage.below(2, f"choice of {client.name}"):
        append = Appended(token_of(number, len(appends)))
        appends.append(append)
        append.known = yield from client.append(key, append.token)
        trial.answers[number] += append.known
    else:
        value = yield from client.get(key)
        trial.answers[number] += 1
        wrong = why_wrong(value, appends)
        stage.check(not wrong, f"client {number} read {value[-60:]!r}: {wrong}")


def _random_key(trial: Trial, client: Client, number: int) -> Script:
    stage, appends = trial.stage, trial.appends[number]
    key = b"%d" % stage.below(trial.table.clients, f"key of {client.name}")
    append = Appended(b"x %d %d %d y" % (trial.number, number, len(appends)))
    choice = stage.below(100, f"choice of {client.name}")
    if choice < 55:
        appends.append(append)
        write = client.append if choice < 50 else client.put
        append.known = yield from write(key, append.token)
        trial.answers[number] += append.known
    else:
        yield from client.get(key)
        trial.answers[number] += 1


def _partitioner(trial: Trial) -> Script:
    """Put each node on one of two sides, again and again."""
    stage = trial.stage
    while not trial.over:
        sides: tuple[list[int], list[int]] = ([], [])
        for node in range(1, stage.nodes + 1):
            sides[stage.below(2, "side")].append(node)
        stage.heal()
        stage.partition(tuple(sides[0]), tuple(sides[1]))
        yield Sleep(CALM_US + 1_000 * stage.below(200, "partition time"))
    trial.working -= 1


def _key(trial: Trial, number: int) -> bytes:
    return b"%d.%d" % (trial.number, number)


def _look(trial: Trial) -> Script:
    """Every append is there, once, in order; the log is as small as it should be."""
    stage, table = trial.stage, trial.table
    reader = Client(stage, f"reader {trial.number}", trial.history)
    for number, appends in enumerate(trial.appends):
        answers = trial.answers[number]
        stage.check(answers >= ANSWERS_MIN, f"client {number} got {answers} answers in 5 s")
        value = yield from reader.get(b"%d" % number if table.random_keys else _key(trial, number))
        if not table.random_keys:
            wrong = why_wrong(value, appends)
            stage.check(not wrong, f"the key of client {number} in the end: {wrong}")
    if isinstance(stage, WorldStage):
        _look_at_logs(stage, table)


def _look_at_logs(stage: WorldStage, table: Table) -> None:
    """Look at what only a world can see; every node runs."""
    nodes = range(1, stage.nodes + 1)
    for node in nodes:
        replica = stage.process(node).replica
        compacted = replica.consensus.compacted.index if replica is not None else 0
        if not table.log_bytes:
            stage.check(compacted == 0, f"n{node} compacted its log unasked, up to {compacted}")
        elif replica is not None:
            stage.check(compacted > 0, f"n{node} never compacted its log")
    if table.log_bytes:
        most = max(stage.log_bytes(node) for node in nodes)
        stage.budget("bytes of log", most, LOG_FACTOR * table.log_bytes)


def keep_logs(stage: WorldStage) -> None:
    """Make the logs' segments so large that nothing is compacted for the sake of the disk."""
    for process in stage.world.processes.values():
        process.disk.segments = replace(
            process.disk.segments, segment_bytes=SEGMENT_BYTES, first_segment_bytes=SEGMENT_BYTES
        )


def row(identifier: str, name: str, nodes: int = 5, *, real: bool = False, **row: Any) -> Scenario:
    """Make a row of the table known."""
    table = Table(**row)
    faults = ("lossy", "crash", "partition", "random_keys")
    words = [fault.replace("_", " ") for fault in faults if getattr(table, fault)]
    under = f" under {', '.join(words)}" if words else ""
    return add(
        Scenario(
            identifier,
            f"appends of {table.clients} clients are there once and in order{under}",
            f"MIT 6.5840 lab 4 (kvraft), Test{name}",
            nodes,
            kvraft,
            profile=MIT_UNRELIABLE,
            compact_bytes=table.log_bytes,
            prepare=None if table.log_bytes else keep_logs,
            real=real,
            options={"table": table},
        )
    )
