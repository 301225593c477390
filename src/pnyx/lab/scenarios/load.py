"""Load beside a script, and the script's own requests, all judged by the witness.

The clients are those of the swarm (workload.py): unique values, nothing of unknown outcome
repeated. Whatever the script itself asks goes through `Load.ask`, so that the witness knows of it.
"""

from collections.abc import Generator, Sequence
from itertools import pairwise
from typing import Any, Final

from pnyx.lab.process import Process
from pnyx.lab.scenario import Script, Sleep, Step, Until
from pnyx.lab.stage import WorldStage
from pnyx.lab.witness import Witness
from pnyx.lab.workload import PATIENCE_US, REFUSED, Clients, Ticket, WorkloadSettings
from pnyx.machine.commands import AnyCommand, Expiry, Set
from pnyx.replica.requests import Answer, Done, Request

SCRIPT: Final = 0
"""The client number of the script; clients count from 1."""
LIGHT: Final = WorkloadSettings(clients=3, think_us=60_000, keys=2)
PROBE_US: Final = 20_000
"""How often `served` tries again."""
PULSE_US: Final = 30_000
ELECTED_US: Final = 5_000_000
SETTLE_US: Final = 10_000_000


class Load(Clients):
    """Clients beside a script. Make it in the script's first step: before anybody starts."""

    def __init__(self, stage: WorldStage, settings: WorkloadSettings = LIGHT) -> None:
        """Let the witness look at everything from the beginning; nobody asks yet."""
        super().__init__(settings)
        self.stage = stage
        self._count = 0
        self._own: list[Ticket] = []
        """The script's requests that are open."""
        world = stage.world
        assert all(each.replica is None for each in world.processes.values()), "made too late"
        world.watches.add(Witness(), self)

    def ask(self, node: int, *commands: AnyCommand) -> Ticket:
        """Send the script's own request to `node`; it is not waited for."""
        self._count += 1
        ticket = Ticket(SCRIPT, self._count, node, commands, self.stage.now_us)
        self.tickets.append(ticket)
        self._own.append(ticket)
        by_log = any(command.writes for command in commands)
        if not self.stage.process(node).submit(Request(ticket, commands, by_log, forward=True)):
            self._answered(ticket, REFUSED)
        return ticket

    def write(self, node: int, key: bytes, expires_ms: int = 0) -> Ticket:
        """Set `key` at `node` to a value that no other has."""
        expiry = Expiry(expires_ms, relative=True) if expires_ms else None
        return self.ask(node, Set(key, b"script.%d;" % (self._count + 1), expiry))

    def pulse(self, nodes: Sequence[int]) -> None:
        """Write at `nodes` in turn every 30 ms, until the clients stop: so that gaps say much."""
        self.stage.spawn(self._pulse(nodes))

    def _pulse(self, nodes: Sequence[int]) -> Script:
        turn = 0
        while not self.stopped:
            self.write(nodes[turn % len(nodes)], b"pulse")
            turn += 1
            yield Sleep(PULSE_US)

    def done_us(self) -> list[int]:
        """Return when writes were acknowledged, of everybody, in order."""
        return sorted(
            ticket.answered_us
            for ticket in self.tickets
            if ticket.answered_us is not None
            and isinstance(ticket.answer, Done)
            and any(command.writes for command in ticket.commands)
        )

    def longest_gap_us(self, from_us: int) -> int:
        """Return the longest time since `from_us` without an acknowledged write."""
        times = [at for at in self.done_us() if at > from_us]
        return max(after - before for before, after in pairwise([from_us, *times, self._now_us]))

    @property
    def waiting(self) -> list[Ticket]:
        """Return what somebody waits for, the script included."""
        return [*self.open, *self._own]

    # What the world says.

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        if isinstance(ticket, Ticket) and ticket.client == SCRIPT:
            self._answered(ticket, answer)
        else:
            super().answered(process, ticket, answer)

    def ended(self, process: Process, how: str) -> None:
        super().ended(process, how)
        for ticket in [each for each in self._own if each.process == process.number]:
            ticket.given_up_us = self._now_us
            self._own.remove(ticket)

    def _answered(self, ticket: Ticket, answer: Answer) -> None:
        if ticket in self._own:
            ticket.answer, ticket.answered_us = answer, self._now_us
            self._own.remove(ticket)

    @property
    def _now_us(self) -> int:
        return self.stage.now_us


def began(
    stage: WorldStage, settings: WorkloadSettings = LIGHT
) -> Generator[Step, Any, tuple[Load, int]]:
    """Start the clients; return them and the leader once something was acknowledged."""
    load = Load(stage, settings)
    elected = yield Until(lambda: stage.leader() is not None, ELECTED_US)
    stage.check(elected, "nobody leads at the beginning")
    load.start(stage.world)
    yield from served(load, (stage.leader() or 1,), ELECTED_US)
    leader = stage.leader()
    stage.check(leader is not None, "nobody leads after the first write")
    assert leader is not None, "checked"
    return load, leader


def served(
    load: Load, nodes: Sequence[int], within_us: int, *, each: bool = False
) -> Generator[Step, Any, int]:
    """Write at `nodes` until one of them, or `each`, acknowledged; return how long that took.

    A new request every 20 ms: one that was passed on to a leader who is gone says nothing.
    """
    stage, began_us = load.stage, load.stage.now_us
    probes: list[Ticket] = []
    lacking = set(nodes)
    while lacking and stage.now_us - began_us < within_us:
        probes += [load.write(node, b"probe.%d" % node) for node in nodes if node in lacking]
        yield Sleep(PROBE_US)
        lacking -= {probe.process for probe in probes if isinstance(probe.answer, Done)}
        if len(lacking) < len(nodes) and not each:
            break
    stage.check(
        not lacking if each else len(lacking) < len(nodes),
        f"{sorted(lacking)} acknowledged no write within {within_us / 1e6:g} s",
    )
    return stage.now_us - began_us


def over(*tickets: Ticket, within_us: int = PATIENCE_US) -> Until:
    """Return the wait for the end of all of `tickets`."""
    return Until(lambda: not any(ticket.is_open for ticket in tickets), within_us)


def top_term(stage: WorldStage) -> int:
    """Return the highest term of anybody who runs."""
    return max(stage.term(node) for node in stage.world.processes)


def converge(load: Load) -> Script:
    """Let the clients end, and wait until every member that runs has applied the same."""
    stage = load.stage
    load.stop()
    yield Until(lambda: not load.waiting, SETTLE_US)
    stage.check(not load.waiting, f"still open: {[str(each) for each in load.waiting[:3]]}")
    alike = yield Until(lambda: _alike(stage), SETTLE_US)
    stage.check(alike, f"the members did not come to the same state within {SETTLE_US / 1e6:g} s")


def _alike(stage: WorldStage) -> bool:
    leader = stage.leader()
    replica = None if leader is None else stage.process(leader).replica
    if replica is None:
        return False
    consensus = replica.consensus
    numbers = [stage.world.processes[number] for number in sorted(stage.world.processes)]
    states = {
        None if each.replica is None else each.replica.group.applied.index
        for each in numbers
        if consensus.membership.has(each.node)
    }
    return states == {consensus.last_index} and not consensus.membership.outgoing
