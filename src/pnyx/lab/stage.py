"""Scenarios in the world: the stage on which a script acts, and the clock it is driven by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pnyx.consensus.ready import HardState, Mark
from pnyx.ids import GroupId, NodeId
from pnyx.lab.commandlog import CommandLog, log_of
from pnyx.lab.network import RELIABLE
from pnyx.lab.playing import Playing
from pnyx.lab.process import Process
from pnyx.lab.scenario import Budget, Call, Failed, Scenario, Script, Until
from pnyx.lab.seat import Seat
from pnyx.lab.surroundings import GROUP, REPLIES
from pnyx.lab.watch import Violation, Watch
from pnyx.lab.world import World, WorldSettings, broken_assertion
from pnyx.machine.commands import AnyCommand, Batch, Get, Set, encode
from pnyx.replica.changes import Change
from pnyx.replica.effects import Outbound
from pnyx.replica.requests import Answer, Request
from pnyx.storage.record import GroupCheckpoint, encode_entries, encode_group

FORM_US: Final = 1_000_000
VALUE_BYTES_MAX: Final = 4 * 1024 * 1024
_REPLY_NAMES: Final = frozenset(kind.__name__ for kind in REPLIES)


@dataclass(slots=True)
class Result:
    """What became of a scenario."""

    scenario: Scenario
    seed: int
    failed: str
    """Why, or empty."""
    violation: Violation | None
    budgets: list[Budget]
    events: int
    hash: str
    simulated_us: int
    story: tuple[str, ...] = ()
    """Of a lesson, a line each: what happened last if it failed, or what it wants to show."""

    @property
    def ok(self) -> bool:
        """Did everything hold that the scenario and the invariants ask for?"""
        return not self.failed and self.violation is None


class WorldStage(Watch):
    """A simulated cluster."""

    def __init__(self, scenario: Scenario, seed: int, watches: Sequence[Watch] = ()) -> None:
        """Make the world of `scenario`; nothing runs yet."""
        scenario = scenario.of(seed)
        self.nodes = scenario.nodes
        self.seed = seed
        self.scenario = scenario
        self.log = CommandLog()
        self.budgets: list[Budget] = []
        self.away: set[int] = set()
        """Who is isolated."""
        self._calls: dict[Call, None] = {}
        self._sent_to: dict[tuple[NodeId, str], int] = {}
        self._drawn: dict[str, int] = {}
        self.world = World(seed, settings_of(scenario), [*watches, self.log, self])
        self._playing = Playing(self.world.timeline)

    # Time and chance.

    @property
    def now_us(self) -> int:
        return self.world.now_us

    @property
    def election_us(self) -> int:
        return self.world.settings.raft.election_ms_max * 1_000

    def below(self, bound: int, stream: str) -> int:
        count = self._drawn[stream] = self._drawn.get(stream, 0) + 1
        return self.world.chance.below(bound, f"script {stream}", count)

    # What is seen.

    def process(self, node: int) -> Process:
        """Return the simulated process itself."""
        return self.world.processes[node]

    def leaders(self) -> list[int]:
        return [process.number for process in self.world.leaders()]

    def leader(self, group: GroupId = GROUP) -> int | None:
        leader = self.world.leader(group)
        return None if leader is None else leader.number

    def term(self, node: int) -> int:
        replica = self.process(node).replica
        return 0 if replica is None else replica.consensus.term

    def running(self, node: int) -> bool:
        return self.process(node).running

    def applied(self, node: int) -> int:
        """Return how many client commands `node` has applied."""
        return self.log.applied(self.process(node))

    def committed(self, number: int) -> int:
        """Return how many nodes have applied the client command of that number."""
        return sum(self.applied(node) >= number for node in self.world.processes)

    def sent(self, *kinds: str) -> int:
        """Return how many messages of these types all nodes have sent, over all their lives."""
        return sum(
            process.counts.messages.get(kind, 0)
            for process in self.world.processes.values()
            for kind in kinds
        )

    def requests(self) -> int:
        """Return how many requests all nodes have sent: every message that answers none."""
        return sum(
            count
            for process in self.world.processes.values()
            for kind, count in process.counts.messages.items()
            if kind not in _REPLY_NAMES
        )

    def sent_to(self, node: int, kind: str) -> int:
        """Return how many messages of that type all nodes have sent to `node`."""
        return self._sent_to.get((self.process(node).node, kind), 0)

    def sent_bytes(self) -> int:
        """Return the bytes of everything that nodes have sent to each other, frames included."""
        return sum(process.counts.payload_bytes for process in self.world.processes.values())

    def log_bytes(self, node: int) -> int:
        """Return the logical bytes of the Raft log that `node` keeps."""
        replica = self.process(node).replica
        return 0 if replica is None else replica.consensus.log_bytes

    def log_end(self, node: int) -> Mark:
        """Return index and term of the newest entry of `node`."""
        raft = self.process(node).replica
        state = None if raft is None else raft.consensus.state  # type: ignore[attr-defined]
        return Mark() if state is None else Mark(state.log.last_index, state.log.last_term)

    def state_bytes(self, node: int) -> int:
        """Return the logical bytes of the records that hold the Raft state of `node`.

        Term and vote, marks and every entry that it keeps, headers included.
        """
        replica = self.process(node).replica
        if replica is None:
            return 0
        raft = replica.consensus
        entries = log_of(replica, raft.compacted.index, raft.last_index)
        parts: list[bytes] = []
        encode_entries(GROUP, tuple(entries), parts)
        hard_state = HardState(raft.term, self.process(node).node)
        checkpoint = GroupCheckpoint(hard_state, raft.compacted, self.log_end(node), ())
        parts.append(encode_group(GROUP, checkpoint))
        return sum(len(part) for part in parts)

    def stored(self, node: int, key: bytes) -> bytes | None:
        """Return what the space of `node` holds under `key`, whoever leads."""
        replica = self.process(node).replica
        results = None if replica is None else replica.group.read((Get(key),), 0)
        return results[0] if results and isinstance(results[0], bytes) else None

    # What is done.

    def isolate(self, node: int) -> None:
        if node not in self.away:
            self.away.add(node)
            self.world.isolate(node)

    def rejoin(self, node: int) -> None:
        if node in self.away:
            self.away.remove(node)
            self.world.rejoin(node)

    def cut(self, source: int, target: int) -> None:
        self.world.cut(source, target)

    def mend(self, source: int, target: int) -> None:
        self.world.mend(source, target)

    def partition(self, *sides: tuple[int, ...]) -> None:
        self.world.partition(sides)

    def heal(self) -> None:
        self.away.clear()
        self.world.heal()

    def crash(self, node: int) -> None:
        self.world.crash(node, power=True)

    def stop(self, node: int) -> None:
        """Let `node` end in order: who waits there is told what can be told."""
        self.world.stop(node)

    def restart(self, node: int) -> None:
        self.world.restart(node)

    def pause(self, node: int) -> None:
        self.world.pause(node)

    def resume(self, node: int) -> None:
        self.world.resume(node)

    def reliable(self, *, reliable: bool) -> None:
        self.world.network.profile = RELIABLE if reliable else self.scenario.profile

    def call(self, node: int, *commands: AnyCommand, group: GroupId = GROUP) -> Call:
        call = Call(node, commands)
        by_log = any(command.writes for command in commands)
        request = Request(call, commands, by_log=by_log, forward=True)
        # Before, since it may be answered at once.
        self._calls[call] = None
        if not self.process(node).submit(request, group):
            call.lost = True
            del self._calls[call]
        return call

    def change(self, node: int, change: Change) -> Call:
        """Ask `node` for a change of the members."""
        call = Call(node, ())
        if self.running(node):
            self._calls[call] = None
            self.process(node).change(change, call)
        else:
            call.lost = True
        return call

    def propose(self, node: int, value: bytes) -> int:
        """Propose one command as an entry of its own; return its number, 0 if it was refused.

        What the original tests call Start(): past the queues of the replica, at Raft itself.
        """
        process = self.process(node)
        stamp_ms = process.now().wall_ms
        command = Set(b"value", value)
        payload = encode(Batch(stamp_ms, VALUE_BYTES_MAX, (command,)))
        if not process.start_value(payload):
            return 0
        return self.log.held(process)

    def value(self, number: int) -> bytes | None:
        """Return what `propose` wrote with the committed command of that number, or None."""
        if number > len(self.log.commands):
            return None
        command = self.log.commands[number - 1]
        return command.value if isinstance(command, Set) else None

    def spawn(self, script: Script) -> None:
        self._playing.spawn(script)

    # What is judged.

    def check(self, fact: bool, sentence: str) -> None:  # noqa: FBT001 - an assertion's shape
        if not fact:
            raise Failed(sentence)

    def budget(self, name: str, used: float, allowed: float, least: float = 0) -> None:
        budget = Budget(name, used, allowed)
        self.budgets.append(budget)
        self.check(least <= used <= allowed, f"{budget}, at least {least:g}")

    # What the world says.

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:
        """Hand the answer to the call."""
        if isinstance(ticket, Call) and not ticket.over:
            ticket.answer = answer
            ticket.answered_us = self.now_us
            del self._calls[ticket]

    def sending(self, seat: Seat, outbound: Outbound) -> None:
        """Count what goes where."""
        where = (outbound.to, type(outbound.message).__name__)
        self._sent_to[where] = self._sent_to.get(where, 0) + 1

    def ended(self, process: Process, how: str) -> None:
        """Whoever waited for that node waits no more."""
        for call in [call for call in self._calls if call.node == process.number]:
            call.lost = True
            del self._calls[call]

    # The drive.

    def run(self) -> Result:
        """Play the scenario to its end."""
        world, scenario = self.world, self.scenario
        failed = ""
        try:
            if scenario.prepare is not None:
                scenario.prepare(self)
            world.start()
            if scenario.unreliable:
                self.spawn(self._worsen())
            self.spawn(scenario.script(self, **scenario.options))
            failed = self._playing.run(scenario.limit_us)
            for watch in world.watches.watches:
                watch.finish(world.processes.values())
        except Failed as error:
            failed = str(error)
        except Violation as violation:
            world.violation = violation
        except AssertionError as error:
            world.violation = broken_assertion(error)
        timeline = world.timeline
        return Result(
            scenario,
            self.seed,
            failed,
            world.violation,
            self.budgets,
            timeline.happened,
            timeline.hash,
            timeline.now_us,
        )

    def _worsen(self) -> Script:
        # A cluster forms over connections that carry everything or break, so links lose messages
        # from when it has formed: long before the first election.
        processes = self.world.processes.values()
        formed = yield Until(lambda: all(each.crew for each in processes), FORM_US)
        self.check(formed, f"the cluster did not form within {FORM_US / 1e6:g} s")
        self.reliable(reliable=False)


def settings_of(scenario: Scenario) -> WorldSettings:
    """Return the world that `scenario` wants."""
    limits = scenario.limits
    if scenario.compact_bytes:
        limits = replace(
            limits,
            flush_log_bytes=max(scenario.compact_bytes // 2, 1),
            compact_log_bytes=scenario.compact_bytes,
            tail_log_bytes=0,
            # Nobody is waited for: who falls behind gets a snapshot.
            catchup_log_bytes=scenario.compact_bytes,
        )
    return WorldSettings(
        nodes=scenario.nodes,
        limits=limits,
        raft=scenario.raft,
        machine=scenario.machine,
        layout=scenario.layout,
        migration=scenario.migration,
        consensus=scenario.consensus,
    )


def play(scenario: Scenario, seed: int, watches: Sequence[Watch] = ()) -> Result:
    """Run `scenario` in the world of `seed`, judged by `watches`."""
    return WorldStage(scenario, seed, watches).run()
