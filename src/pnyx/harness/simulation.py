"""A simulated cluster that a test drives by hand: real replicas, simulated disks, links and time.

Nothing happens until the test asks for something or lets time pass, so the same calls with the same
seed are the same run, byte for byte. All invariants of the Lab watch it (lab/invariants).
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import hiredis

from pnyx.client.errors import Timeout, Unavailable
from pnyx.client.replies import TOO_LONG
from pnyx.client.wire import raw_of
from pnyx.gateway.rows import wrong_arity
from pnyx.gateway.table import TABLE
from pnyx.harness.resp import Refused
from pnyx.lab.conduct import Conduct
from pnyx.lab.invariants.checker import Invariants
from pnyx.lab.patience import Patience
from pnyx.lab.process import Process
from pnyx.lab.scenario import Call
from pnyx.lab.watch import Watch
from pnyx.lab.world import World, WorldSettings
from pnyx.machine.commands import AnyCommand
from pnyx.machine.results import Refusal, Result
from pnyx.replica.requests import Answer, Done, NotDone, Reason, Request, Unknown
from pnyx.transport.resp import encode_reply

Word: TypeAlias = bytes | str | int | float

PATIENCE_S: Final = 10.0
"""Simulated seconds that a command may take, tries at several nodes together."""
RETRY_US: Final = 20_000
LOOK_US: Final = 1_000
"""How much time passes between two looks for an answer."""
SLACK_MS: Final = 1_000
"""Beyond what the limits add up to, before a client gives a silent node up."""
NOBODY_LISTENS: Final = NotDone(Reason.STOPPING)
LEADER_S_MAX: Final = 20.0


class _Callers(Watch):
    """Hands answers to whoever called."""

    def answered(self, process: Process, ticket: Any, answer: Answer) -> None:  # noqa: ARG002
        """Note the answer to a call."""
        if isinstance(ticket, Call):
            ticket.answer = answer


class Simulation:
    """Nodes n1, n2, ... on one simulated network, and a client that talks to them."""

    def __init__(self, seed: int, *, nodes: int = 3) -> None:
        """Start `nodes` nodes (1 to 7) and wait until one of them leads."""
        self.seed = seed
        watches = [Invariants(), Patience(), Conduct(), _Callers()]
        self.world = World(seed, WorldSettings(nodes=nodes), watches)
        self._numbers = {each.label: number for number, each in self.world.processes.items()}
        self.world.start()
        self.wait_for_leader()

    # Time.

    @property
    def now_s(self) -> float:
        """Simulated seconds since the beginning."""
        return self.world.now_us / 1e6

    def run(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Violation: an invariant broke; its name and what was seen.
        """
        self._run_until(self.world.now_us + int(seconds * 1e6))

    def finish(self) -> None:
        """Let every invariant look at the whole state once more; `Violation` if one is broken."""
        for watch in self.world.watches.watches:
            watch.finish(self.world.processes.values())

    # What is seen.

    @property
    def labels(self) -> tuple[str, ...]:
        """The nodes' names."""
        return tuple(self._numbers)

    @property
    def trace_hash(self) -> str:
        """What this run was so far, in 16 digits: equal for equal calls with an equal seed."""
        return self.world.timeline.hash

    def leader(self) -> str | None:
        """Return the label of who leads in the highest term, if anybody does."""
        leader = self.world.leader()
        return None if leader is None else leader.label

    def wait_for_leader(self, timeout_s: float = LEADER_S_MAX) -> str:
        """Let time pass until some node that is not cut off leads, and return its label.

        Raises:
            Unavailable: nobody does after `timeout_s` simulated seconds.
        """
        within_us = self.world.now_us + int(timeout_s * 1e6)
        while (leader := self.leader()) is None:
            if self.world.now_us >= within_us:
                raise Unavailable(f"nobody leads after {timeout_s:g} simulated seconds")
            self._run_until(self.world.now_us + RETRY_US)
        return leader

    # What is done to it.

    def kill(self, label: str) -> None:
        """End a process; what it wrote and did not sync stays in the machine's memory."""
        self.world.crash(self._numbers[label], power=False)

    def cut_power(self, label: str) -> None:
        """End a whole machine: what was not synced is kept, lost or torn as the seed decides."""
        self.world.crash(self._numbers[label], power=True)

    def restart(self, *labels: str) -> None:
        """Start nodes that ended, and resume paused ones."""
        for label in labels:
            self.world.resume(self._numbers[label])
            self.world.restart(self._numbers[label])

    def pause(self, label: str) -> None:
        """Let a process stand still, as SIGSTOP does."""
        self.world.pause(self._numbers[label])

    def partition(self, *labels: str) -> None:
        """Cut every link between `labels` and the other nodes; replaces earlier cuts."""
        self.world.heal()
        one_side = {self._numbers[label] for label in labels}
        self.world.partition([one_side, set(self._numbers.values()) - one_side])

    def heal(self) -> None:
        """Undo every partition and pause."""
        self.world.heal()
        for number in self._numbers.values():
            self.world.resume(number)

    # What is asked of it.

    def execute_command(self, *words: Word, at: str | None = None) -> Any:
        """Run one Redis command on keys and return its reply: bytes, int, None or a list.

        The node `at`, or one after the other, is asked until one answers; a write whose outcome is
        not known is not sent again.

        Raises:
            TypeError: a word is no key, value or argument.
            Refused: the command is wrong, with Redis' text.
            Unavailable: no node took it within `PATIENCE_S`; it did nothing.
            Timeout: nobody knows whether the write was applied; `outcome` is "unknown".
        """
        command = parsed(words, self.world.settings.limits.value_bytes)
        targets = self.labels if at is None else (at,)
        deadline_us = self.world.now_us + int(PATIENCE_S * 1e6)
        tried = 0
        while self.world.now_us < deadline_us:
            call = self._call(command, targets[tried % len(targets)])
            tried += 1
            if isinstance(call.answer, Done):
                return _reply(call.answer.results[0])
            # Killed under the request, or silent for long: as if the answer was lost.
            is_open = call.lost or call.answer is None or isinstance(call.answer, Unknown)
            if is_open and command.writes:
                raise Timeout(f"the outcome of {words[0]!r} is not known", outcome="unknown")
            self._run_until(self.world.now_us + RETRY_US)
        raise Unavailable(f"no node answered {words[0]!r} in {PATIENCE_S:g} simulated seconds")

    def get(self, key: Word) -> bytes | None:
        """Return the value of `key`, None if there is none; linearizable."""
        value: bytes | None = self.execute_command("GET", key)
        return value

    def set(self, key: Word, value: Word) -> None:
        """Give `key` a value."""
        self.execute_command("SET", key, value)

    # Pieces.

    def _call(self, command: AnyCommand, label: str) -> Call:
        number = self._numbers[label]
        process = self.world.processes[number]
        call = Call(number, (command,))
        request = Request(call, call.commands, by_log=command.writes, forward=True)
        if not process.submit(request):
            call.answer = NOBODY_LISTENS
            return call
        life, limits = process.life, self.world.settings.limits
        until_us = self.world.now_us + (limits.park_ms + limits.outcome_ms + SLACK_MS) * 1_000
        while call.answer is None and self.world.now_us < until_us:
            if not process.running or process.life != life:
                call.lost = True
                break
            self._run_until(self.world.now_us + LOOK_US)
        return call

    def _run_until(self, until_us: int) -> None:
        if not self.world.run(until_us):
            assert self.world.violation is not None, "that is why it stopped"
            raise self.world.violation


def parsed(words: Sequence[Word], value_bytes_max: int) -> AnyCommand:
    """Return what a Redis command on keys asks of the machine, read by the gateway's own table.

    Raises:
        TypeError: a word is no key, value or argument.
        Refused: it is no such command, or its words are wrong, with Redis' text.
    """
    raw = list(map(raw_of, words))
    if any(len(word) > value_bytes_max for word in raw):
        raise Refused(TOO_LONG)
    row = TABLE.get(raw[0].upper())
    if row is None or row.parse is None:
        raise Refused(f"ERR {words[0]!r} is not a command on keys")
    if not row.least <= len(raw) <= row.most:
        raise Refused(wrong_arity(row.name).text)
    command = row.parse(raw)
    if isinstance(command, Refusal):
        raise Refused(command.text)
    return command


def _reply(result: Result) -> Any:
    """Return what a Redis client makes of `result`: through the very bytes it would get."""
    reader = hiredis.Reader()
    reader.feed(encode_reply(result, 2))
    reply = reader.gets()
    if isinstance(reply, hiredis.ReplyError):
        raise Refused(str(reply))
    return reply
