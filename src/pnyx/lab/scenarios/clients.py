"""Clients of the key-value scenarios: what they do when refused, and what they write down.

These clients have no sessions, as the texts they come from knew none, so a client may not repeat a
write whose outcome it does not know: it stays unknown in the history. What was surely not done
(`NotDone`, `Elsewhere`, nobody listens) is asked again at another node, and so is a read. What a
lossy client asks is delayed and lost as with `MIT_UNRELIABLE` (lab/network.py).
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from pnyx.lab.history import History
from pnyx.lab.linearizability import judge
from pnyx.lab.scenario import Call, Script, Sleep, Stage, Step, Until
from pnyx.machine.commands import AnyCommand, Append, Clock, Get, Set
from pnyx.machine.results import Refusal, Result
from pnyx.machine.sessions import DEADLINE_AHEAD_MS_MAX, WINDOW
from pnyx.replica.requests import Done, Elsewhere, NotDone
from pnyx.transport.numbering import Numbering

THINK_US: Final = 20_000
"""Between an answer and the next request."""
RETRY_US: Final = 20_000
"""A refused client asks another node after this."""
PATIENCE_US: Final = 8_000_000
"""A client gives up after this; no node takes longer, unless it hangs itself."""
CALM_US: Final = 10_000_000
"""A first leader is there by then."""
_DELAY_US_MAX: Final = 26_000
_LOST_OF_TEN: Final = 1

Asked: TypeAlias = Generator[Step, Any, tuple[Result, ...] | None]


@dataclass(slots=True, eq=False)
class Client:
    """One client, with one request at a time."""

    stage: Stage
    name: str
    """Of its own among all clients of a scenario: its random numbers hang on it."""
    history: History | None = None
    lossy: bool = False
    among: tuple[int, ...] = ()
    """Which nodes it asks; all if empty."""
    node: int = 0
    """Whom it asks, until that one refuses."""
    commands: list[AnyCommand] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Choose the first node."""
        self.node = self.stage.below(self.stage.nodes, f"first node of {self.name}")
        self.turn()

    def ask(self, *commands: AnyCommand) -> Asked:
        """Return the results, or None if they may have happened or not. Reads are known."""
        is_read = not any(command.writes for command in commands)
        while True:
            results, is_known = yield from self.attempt(commands)
            if results is not None:
                for result in results:
                    self.stage.check(not isinstance(result, Refusal), f"{commands}: {result!r}")
                return results
            self.turn()
            if not is_known and not is_read:
                return None
            yield Sleep(RETRY_US)

    def attempt(
        self, commands: tuple[AnyCommand, ...]
    ) -> Generator[Step, Any, tuple[tuple[Result, ...] | None, bool]]:
        """Return the results, and if there are none whether surely nothing was done."""
        stage = self.stage
        if self.lossy:
            yield Sleep(stage.below(_DELAY_US_MAX + 1, f"delay of {self.name}"))
            if self._is_lost("request"):
                # It never left, but nobody can know that.
                return None, False
        if not stage.running(self.node):
            return None, True
        call = self.call(commands)
        yield over(call, PATIENCE_US)
        match call.answer:
            case Done(results):
                is_lost = self.lossy and self._is_lost("reply")
                return (None, False) if is_lost else (results, True)
            case NotDone() | Elsewhere():
                return None, True
            case _:
                return None, False

    def call(self, commands: tuple[AnyCommand, ...]) -> Call:
        """Ask its node."""
        return self.stage.call(self.node, *commands)

    def turn(self) -> None:
        """Ask somebody else next.

        Over lossy links that is the leader itself, as with the original clerks, for a forward that
        is lost costs three seconds; else the next node, whoever leads.
        """
        leader = self.stage.leader() if self.lossy else None
        among = self.among or tuple(range(1, self.stage.nodes + 1))
        if leader in among:
            self.node = leader
        else:
            self.node = next((node for node in among if node > self.node), among[0])

    def _is_lost(self, what: str) -> bool:
        return self.stage.below(10, f"lost {what} of {self.name}") < _LOST_OF_TEN

    # The operations of a history.

    def get(self, key: bytes) -> Generator[Step, Any, bytes]:
        """Return the value, empty if there is none."""
        number = self._begin("get", key)
        results = yield from self.ask(Get(key))
        assert results is not None, "reads are known"
        value = results[0] if isinstance(results[0], bytes) else b""
        self._end(number, known=True, value=value)
        return value

    def append(self, key: bytes, value: bytes) -> Generator[Step, Any, bool]:
        """Append, and return whether that is known to have happened."""
        number = self._begin("append", key, value)
        results = yield from self.ask(Append(key, value))
        self._end(number, known=results is not None, value=results and results[0])
        return results is not None

    def put(self, key: bytes, value: bytes) -> Generator[Step, Any, bool]:
        """Set the value, and return whether that is known to have happened."""
        number = self._begin("put", key, value)
        results = yield from self.ask(Set(key, value))
        self._end(number, known=results is not None)
        return results is not None

    def _begin(self, function: str, key: bytes, *arguments: bytes | int) -> int | None:
        if self.history is None:
            return None
        now_us = self.stage.now_us
        return self.history.call(self.name, function, key, arguments, time_us=now_us)

    def _end(self, number: int | None, *, known: bool, value: Any = None) -> None:
        if self.history is not None and number is not None:
            now_us = self.stage.now_us
            outcome: Any = "ok" if known else "info"
            self.history.returned(number, outcome, value if known else None, time_us=now_us)


def session_of(client: Client, number: int) -> Generator[Step, Any, Numbering]:
    """Read the clock, and return a new session of that number."""
    results = yield from client.ask(Clock())
    assert results is not None, "reads are known"
    assert isinstance(results[0], int), "a clock is a number"
    name, now_ms = b"%032x" % number, client.stage.now_us // 1000
    return Numbering(name, WINDOW, DEADLINE_AHEAD_MS_MAX, results[0], now_ms)


@dataclass(slots=True)
class Appended:
    """One append of one client, in the client's order."""

    token: bytes
    known: bool = False
    """It was acknowledged: it happened, once."""


def token_of(client: int, number: int) -> bytes:
    """Return what the original tests append."""
    return b"x %d %d y" % (client, number)


def tokens_in(value: bytes) -> list[bytes]:
    """Return the tokens of a value; what is none of them comes back as it is."""
    return [part + b"y" for part in value.split(b"y") if part] if value else []


def why_wrong(value: bytes, appends: Iterable[Appended]) -> str:
    """Return why `value` cannot be what these appends of one client left, or nothing.

    An acknowledged append is there once, in the client's order; one whose outcome is unknown is
    there once or not at all, after whatever was acknowledged before it was asked for.
    """
    places: dict[bytes, int] = {}
    for place, token in enumerate(tokens_in(value)):
        if token in places:
            return f"{token!r} is there twice"
        places[token] = place
    last = -1
    for append in appends:
        place = places.pop(append.token, -1)
        if place < 0 and append.known:
            return f"{append.token!r} was acknowledged and is not there"
        if 0 <= place < last:
            return f"{append.token!r} stands before one that was acknowledged before"
        if append.known:
            last = place
    return f"{min(places)!r} was never appended" if places else ""


def over(call: Call, within_us: int) -> Until:
    """Return the wait for the end of a call."""
    return Until(lambda: call.over, within_us)


def first_leader(stage: Stage) -> Script:
    """Wait until there is a leader."""
    elected = yield Until(lambda: stage.leader() is not None, CALM_US)
    stage.check(elected, f"no leader within {CALM_US / 1e6:.0f} s")


def check_linearizable(stage: Stage, history: History) -> None:
    """Fail unless some order explains all that clients were told; undecided fails too."""
    verdict = judge(history)
    keys = [each for each in verdict.keys if each.found.word != "linearizable"]
    where = f"key {keys[0].key!r} stuck at {keys[0].found.stuck_at}" if keys else ""
    stage.check(verdict.word == "linearizable", f"the history is {verdict.word}: {where}")
