"""V-5: appends that return the old value, over reliable and lossy links.

Our Append returns a length, so a client reads and appends in one transaction: both or neither, and
nothing in between.
"""

from dataclasses import dataclass, field
from typing import Final

from pnyx.lab.network import MIT_UNRELIABLE
from pnyx.lab.scenario import Script, Sleep, Until, scenario
from pnyx.lab.scenarios.clients import (
    THINK_US,
    Appended,
    Client,
    first_leader,
    token_of,
    tokens_in,
    why_wrong,
)
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Append, Get, Transaction
from pnyx.machine.results import Values

LOAD_US = 1_000_000
ITERATIONS = 3


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the three tests."""

    name: str
    clients: int
    lossy: bool = False


VARIANTS: Final = (
    Variant("Basic2", 1),
    Variant("Concurrent2", 5),
    Variant("Unreliable2", 5, lossy=True),
)


@dataclass(slots=True)
class Load:
    """One client's work of one iteration."""

    key: bytes
    client: Client
    number: int
    end_us: int
    appends: list[Appended] = field(default_factory=list)
    ended: bool = False


@scenario(
    "V-5",
    about="an append returns the value before it: with the client's last append, without the new",
    source="MIT 6.5840 2024 lab 2, TestBasic2, TestConcurrent2, TestUnreliable2",
    nodes=3,
    profile=MIT_UNRELIABLE,
)
def old_values(stage: WorldStage) -> Script:
    """Play the three tests one after the other."""
    yield from first_leader(stage)
    for variant in VARIANTS:
        stage.reliable(reliable=not variant.lossy)
        for iteration in range(ITERATIONS):
            yield from _iterate(stage, variant, iteration)


def _iterate(stage: WorldStage, variant: Variant, iteration: int) -> Script:
    loads: list[Load] = []
    for number in range(variant.clients):
        name = f"{variant.name}.{iteration}.{number}"
        client = Client(stage, name, lossy=variant.lossy)
        loads.append(Load(name.encode(), client, number, stage.now_us + LOAD_US))
        stage.spawn(_load(stage, loads[-1]))
    yield Until(lambda: all(load.ended for load in loads), 20_000_000)
    for load in loads:
        value = yield from load.client.get(load.key)
        wrong = why_wrong(value, load.appends)
        stage.check(not wrong, f"{load.client.name} in the end: {wrong}")
    # Of one client a lost message may have cost the whole second.
    known = sum(append.known for load in loads for append in load.appends)
    stage.check(known > 0, f"{variant.name} got no append acknowledged")


def _load(stage: WorldStage, load: Load) -> Script:
    while stage.now_us < load.end_us:
        if stage.below(2, f"choice of {load.client.name}"):
            yield from _append(stage, load)
        else:
            value = yield from load.client.get(load.key)
            wrong = why_wrong(value, load.appends)
            stage.check(not wrong, f"{load.client.name} read {value[-60:]!r}: {wrong}")
        yield Sleep(THINK_US)
    load.ended = True


def _append(stage: WorldStage, load: Load) -> Script:
    append = Appended(token_of(load.number, len(load.appends)))
    results = yield from load.client.ask(
        Transaction((Get(load.key), Append(load.key, append.token)))
    )
    if results is not None:
        both = results[0]
        stage.check(isinstance(both, Values), f"a transaction gave {both!r}")
        old = both.members[0] if isinstance(both, Values) else None
        before = old if isinstance(old, bytes) else b""
        stage.check(append.token not in tokens_in(before), f"{before!r} has the new append")
        wrong = why_wrong(before, load.appends)
        stage.check(not wrong, f"the value before {append.token!r}: {wrong}")
        append.known = True
    load.appends.append(append)
