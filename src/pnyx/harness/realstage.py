"""Scenario files on real processes: the stage of pnyx/lab/scenario.py over a `Cluster`.

The same generator scripts as in the world, driven in real time: `Sleep` lets time pass, `Until`
looks every 10 ms. Calls go over RESP connections, each on a thread while it is open; the script
and all it does stay on the caller's thread. Isolating and partitioning are fault requests to the
nodes, a crash is SIGKILL, a pause SIGSTOP. One-way cuts and bad links are done by the fault proxy,
so they need a cluster that has one.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import hiredis

from pnyx.consensus.member.settings import MemberSettings
from pnyx.harness.closing import Closing
from pnyx.harness.cluster import Cluster
from pnyx.harness.proxy import ANY
from pnyx.harness.resp import Connection, Unreachable
from pnyx.harness.words import result_of, words_of
from pnyx.lab.chance import Chance
from pnyx.lab.scenario import Budget, Call, Failed, Scenario, Script, Sleep, Step, Until
from pnyx.machine.commands import AnyCommand
from pnyx.machine.results import Result
from pnyx.replica.requests import Answer, Done, NotDone, Reason, Unknown

POLL_S: Final = 0.01
CALLS_MAX: Final = 64
"""Requests under way at a time; more wait for a thread."""
PATIENCE_S: Final = 8.0
"""A node that was silent for so long is given up."""
UNRELIABLE_MS: Final = 13
"""Links delay by 13 ms, up to 13 ms more: streams of TCP lose and reorder nothing."""
_UNKNOWN: Final = "UNKNOWN"
_REFUSED: Final = ("CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK")


@dataclass(slots=True)
class RealResult:
    """What became of a scenario on processes."""

    scenario: Scenario
    seed: int
    failed: str
    """Why, or empty."""
    budgets: list[Budget]
    seconds: float

    @property
    def ok(self) -> bool:
        """Did everything hold that the scenario asks for?"""
        return not self.failed


@dataclass(slots=True)
class _Waiting:
    script: Script
    step: Step
    due_us: int


class RealStage(Closing):
    """A cluster of processes. One thread runs scripts and acts; close it after the run."""

    def __init__(self, cluster: Cluster, scenario: Scenario, seed: int) -> None:
        """Take a cluster that is healthy; it stays the caller's."""
        self.nodes = len(cluster.nodes)
        self.seed = seed
        self.scenario = scenario
        self.budgets: list[Budget] = []
        self._cluster = cluster
        self._labels = dict(enumerate(cluster.nodes, start=1))
        self._began_s = time.monotonic()
        self._chance = Chance(seed)
        self._drawn: dict[str, int] = {}
        self._waiting: list[_Waiting] = []
        self._new: list[_Waiting] = []
        self._cuts: dict[tuple[int, int], int] = {}
        """By pair (less, greater), how many acts cut it."""
        self._holes: list[tuple[int, int]] = []
        """One-way cuts, (source, target)."""
        self._starting: list[str] = []
        self._idle: dict[int, list[Connection]] = {number: [] for number in self._labels}
        self._threads = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix="call")

    def close(self) -> None:
        """End the threads, each after its call, and all connections."""
        self._threads.shutdown(cancel_futures=True)
        for number in self._idle:
            self._drop_idle(number)

    # Time and chance.

    @property
    def now_us(self) -> int:
        return int((time.monotonic() - self._began_s) * 1e6)

    @property
    def election_us(self) -> int:
        return MemberSettings().election_ms_max * 1_000

    def below(self, bound: int, stream: str) -> int:
        count = self._drawn[stream] = self._drawn.get(stream, 0) + 1
        return self._chance.below(bound, f"script {stream}", count)

    # What is seen.

    def leaders(self) -> list[int]:
        reports = self._reports()
        return [number for number, report in reports.items() if report.leads()]

    def leader(self) -> int | None:
        reports = self._reports()
        leaders = [number for number, report in reports.items() if report.leads()]
        return max(leaders, key=lambda number: reports[number].term, default=None)

    def term(self, node: int) -> int:
        report = self._reports().get(node)
        return 0 if report is None else int(report.term)

    def running(self, node: int) -> bool:
        return self._cluster.nodes[self._labels[node]].is_running()

    # What is done.

    def isolate(self, node: int) -> None:
        self._count_cuts([(node, other) for other in self._labels if other != node], 1)

    def rejoin(self, node: int) -> None:
        self._count_cuts([(node, other) for other in self._labels if other != node], -1)

    def cut(self, source: int, target: int) -> None:
        self._holes.append((source, target))
        self._cluster.proxy.blackhole(self._labels[source], self._labels[target])

    def mend(self, source: int, target: int) -> None:
        if (source, target) in self._holes:
            self._holes.remove((source, target))
            self._cluster.proxy.heal()
            for each in self._holes:
                self._cluster.proxy.blackhole(*(self._labels[number] for number in each))

    def partition(self, *sides: tuple[int, ...]) -> None:
        between = [
            (one, other)
            for position, side in enumerate(sides)
            for one in side
            for others in sides[position + 1 :]
            for other in others
        ]
        self._count_cuts(between, 1)

    def heal(self) -> None:
        self._cuts.clear()
        self._apply_cuts()
        if self._holes:
            self._holes.clear()
            self._cluster.proxy.heal()

    def crash(self, node: int) -> None:
        self._cluster.kill(self._labels[node])
        self._drop_idle(node)

    def restart(self, node: int) -> None:
        # Those of one pass start together, at the price of one.
        self._starting.append(self._labels[node])

    def pause(self, node: int) -> None:
        self._cluster.pause(self._labels[node])

    def resume(self, node: int) -> None:
        self._cluster.resume(self._labels[node])
        self._apply_cuts()

    def reliable(self, *, reliable: bool) -> None:
        if not reliable:
            self._cluster.proxy.delay(ANY, ANY, UNRELIABLE_MS, UNRELIABLE_MS)
        else:
            self._cluster.proxy.delay(ANY, ANY, 0)

    def call(self, node: int, *commands: AnyCommand) -> Call:
        call = Call(node, commands)
        self._threads.submit(self._carry_out, call)
        return call

    def spawn(self, script: Script) -> None:
        self._new.append(_Waiting(script, Sleep(0), self.now_us))

    # What is judged.

    def check(self, fact: bool, sentence: str) -> None:  # noqa: FBT001 - an assertion's shape
        if not fact:
            raise Failed(sentence)

    def budget(self, name: str, used: float, allowed: float, least: float = 0) -> None:
        budget = Budget(name, used, allowed)
        self.budgets.append(budget)
        self.check(least <= used <= allowed, f"{budget}, at least {least:g}")

    # The drive.

    def run(self) -> RealResult:
        """Play the scenario to its end."""
        failed = ""
        try:
            self.spawn(self.scenario.script(self, **self.scenario.options))
            while (self._waiting or self._new) and not failed:
                self._pass()
                if self.now_us > self.scenario.limit_us:
                    failed = f"not over after {self.scenario.limit_us / 1e6:.0f} seconds"
        except Failed as error:
            failed = str(error)
        return RealResult(self.scenario, self.seed, failed, self.budgets, self.now_us / 1e6)

    def _pass(self) -> None:
        """Let every script go on that can, and then a little time pass."""
        self._waiting += self._new
        self._new = []
        still: list[_Waiting] = []
        for each in self._waiting:
            if isinstance(each.step, Until):
                if (reached := each.step.reached()) or self.now_us >= each.due_us:
                    self._advance(each, reached)
                else:
                    still.append(each)
            elif self.now_us >= each.due_us:
                self._advance(each)
            else:
                still.append(each)
        self._waiting = still
        self._restart()
        if not self._new:
            next_us = min((each.due_us for each in still), default=0) - self.now_us
            time.sleep(min(max(next_us / 1e6, 0.0), POLL_S))

    def _advance(self, waiting: _Waiting, reached: bool | None = None) -> None:  # noqa: FBT001
        try:
            step = waiting.script.send(reached)
        except StopIteration:
            return
        within_us = step.us if isinstance(step, Sleep) else step.within_us
        self._new.append(_Waiting(waiting.script, step, self.now_us + within_us))

    # Pieces.

    def _restart(self) -> None:
        if self._starting:
            self._cluster.restart(*self._starting)
            self._starting.clear()
            if any(self._cuts.values()):
                self._apply_cuts()

    def _reports(self) -> Mapping[int, Any]:
        asked = {each.label: each.report for each in self._cluster.ask_all()}
        return {
            number: report
            for number, label in self._labels.items()
            if (report := asked.get(label)) is not None
        }

    def _count_cuts(self, pairs: list[tuple[int, int]], change: int) -> None:
        for one, other in pairs:
            pair = (min(one, other), max(one, other))
            self._cuts[pair] = max(self._cuts.get(pair, 0) + change, 0)
        self._apply_cuts()

    def _apply_cuts(self) -> None:
        cut: dict[str, list[str]] = {label: [] for label in self._labels.values()}
        for (one, other), count in self._cuts.items():
            if count:
                cut[self._labels[one]].append(self._labels[other])
                cut[self._labels[other]].append(self._labels[one])
        self._cluster.cut(cut)

    def _drop_idle(self, node: int) -> None:
        idle = self._idle[node]
        while idle:
            idle.pop().close()

    # On the threads.

    def _carry_out(self, call: Call) -> None:
        answer = self._asked(call)
        call.answered_us = self.now_us
        if answer is None:
            call.lost = True
        else:
            call.answer = answer

    def _asked(self, call: Call) -> Answer | None:
        """Return what the node says; None if the connection broke under it."""
        idle = self._idle[call.node]
        try:
            connection = idle.pop()
        except IndexError:
            try:
                label = self._labels[call.node]
                connection = self._cluster.connect(label, timeout_s=PATIENCE_S)
            except Unreachable:
                # Nobody listens: nothing was done.
                return NotDone(Reason.STOPPING)
        try:
            replies = connection.pipeline([words_of(command) for command in call.commands])
        except Unreachable:
            return None
        idle.append(connection)
        return answer_of(call.commands, replies)


def answer_of(commands: tuple[AnyCommand, ...], replies: list[Any]) -> Answer:
    """Return what a replica would have answered to this request."""
    errors = [str(reply) for reply in replies if isinstance(reply, hiredis.ReplyError)]
    refused = [error for error in errors if error.startswith(_REFUSED)]
    if len(refused) == len(commands):
        return NotDone(Reason.NO_QUORUM)
    if refused or any(error.startswith(_UNKNOWN) for error in errors):
        return Unknown()
    results: list[Result] = [
        result_of(command, reply) for command, reply in zip(commands, replies, strict=True)
    ]
    return Done(tuple(results))


def play(scenario: Scenario, seed: int, *, proxied: bool = False) -> RealResult:
    """Run a scenario that is marked for it on processes of its own, with the defaults' settings."""
    assert scenario.real, f"{scenario.id} is not marked for real processes"
    with Cluster(
        count=scenario.nodes, settings={"faults": True}, proxy_seed=seed if proxied else None
    ) as cluster:
        cluster.start()
        cluster.wait_healthy()
        with RealStage(cluster, scenario, seed) as stage:
            return stage.run()
