"""V-7: ten mebibytes are given back once they were overwritten.

Value and entry limits are raised to 32 MiB. An append that returns the old value is a transaction
of a read and an append (see V-5).
"""

from dataclasses import replace
from typing import Final

from pnyx.consensus.member.settings import MemberSettings
from pnyx.lab.scenario import Script, Sleep, scenario
from pnyx.lab.scenarios.clients import THINK_US, Client, first_leader
from pnyx.lab.scenarios.memory import SETTLE_US, most_held
from pnyx.lab.stage import WorldStage
from pnyx.machine.commands import Append, Get, Transaction
from pnyx.replica.limits import ReplicaLimits

_MIB: Final = 1024 * 1024
VALUE: Final = b"v" * (10 * _MIB)
LIMIT: Final = 32 * _MIB


@scenario(
    "V-7",
    about="values that were read and overwritten are not held: less than one for puts and gets",
    source="MIT 6.5840 2024 lab 2, TestMemGet2, TestMemPut2, TestMemAppend2",
    nodes=3,
    compact_bytes=_MIB,
    raft=replace(MemberSettings(), entry_bytes_max=LIMIT),
    limits=replace(ReplicaLimits(), value_bytes=LIMIT),
)
def big_values(stage: WorldStage) -> Script:
    """Read and overwrite 10 MiB, then append them twice."""
    yield from first_leader(stage)
    first, second = Client(stage, "first"), Client(stage, "second")
    for reads in (2, 0):
        stored = yield from first.put(b"k", VALUE)
        stage.check(stored, "the put of 10 MiB has an unknown outcome")
        for _ in range(reads):
            value = yield from second.get(b"k")
            stage.check(value == VALUE, f"{len(value)} bytes came back")
        yield from second.put(b"k", b"")
        yield Sleep(SETTLE_US)
        name = "bytes after gets" if reads else "bytes after puts"
        stage.budget(name, most_held(stage), len(VALUE) - 1)
    for client in (first, second):
        results = yield from client.ask(Transaction((Get(b"a"), Append(b"a", VALUE))))
        stage.check(results is not None, "the append of 10 MiB has an unknown outcome")
        yield Sleep(THINK_US)
    yield Sleep(SETTLE_US)
    stage.budget("bytes after appends", most_held(stage), 3 * len(VALUE), 2 * len(VALUE))
