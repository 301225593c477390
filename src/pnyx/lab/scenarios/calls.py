"""Calls over the simulated network: one request, at most one reply, as labrpc has them.

The original simulator's own tests are about calls, our network carries messages; this is what lies
between. A caller whose end is cut learns so late, one whose server was deleted while it worked for
them within 100 ms, and one whose message was lost when it is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from pnyx.lab.scenario import Until
from pnyx.lab.stage import WorldStage
from pnyx.lab.timeline import NOWHERE

LATE_US_MAX: Final = 99_000
"""A call over a cut end fails within this."""
LONG_LATE_US_MAX: Final = 7_000_000
"""The same with long delays, which punish who calls peers one after the other."""
LOOK_US: Final = 100_000
"""How often a call looks whether its server is still there."""
SILENCE_US: Final = 10_000_000
"""After this a call fails that was cut on its way: no reply is held back for so long."""
_FIRST_END: Final = 1_000_000
"""Places of ends; those of servers are below."""

Plain: TypeAlias = int | str
Function: TypeAlias = Callable[[Any], Any]


class _Ask(msgspec.Struct, frozen=True, array_like=True):
    number: int
    name: str
    argument: Plain


class _Tell(msgspec.Struct, frozen=True, array_like=True):
    number: int
    result: Plain


@dataclass(slots=True, eq=False)
class Ring:
    """One call, and what came of it."""

    number: int
    began_us: int
    is_over: bool = False
    result: Plain | None = None
    """None: it failed, or is open."""
    ended_us: int = 0
    next: Callable[["Ring"], None] | None = None
    """Told when it is over."""

    def over(self, within_us: int) -> Until:
        """Return the wait for its end."""
        return Until(lambda: self.is_over, within_us)


@dataclass(slots=True, eq=False)
class Echo:
    """A server: functions by name, and how long each of them takes."""

    place: int
    functions: dict[str, Function]
    takes_us: dict[str, int] = field(default_factory=dict)
    received: int = 0
    """Calls that reached it."""
    deleted: bool = False


class Calls:
    """All ends and servers of a scenario, on the network of its world."""

    def __init__(self, stage: WorldStage, *, long_delays: bool = False) -> None:
        self.count = 0
        """Calls made, lost ones included."""
        self._timeline = stage.world.timeline
        self._network = stage.world.network
        self._chance = stage.world.chance
        self._late_us_max = LONG_LATE_US_MAX if long_delays else LATE_US_MAX
        self._ends = 0
        self._echoes: dict[int, Echo] = {}
        self._open: dict[int, Ring] = {}

    def serve(self, place: int, functions: dict[str, Function], **takes_us: int) -> Echo:
        """Let a server begin at `place`."""
        echo = Echo(place, functions, takes_us)
        self._echoes[place] = echo
        self._network.attach(place, lambda end, content: self._asked(echo, end, content))
        return echo

    def delete(self, echo: Echo) -> None:
        """Let a server be gone, with all it works on."""
        echo.deleted = True
        del self._echoes[echo.place]
        self._network.detach(echo.place)

    def end(self, server: int) -> "End":
        """Return a new caller of that server, connected."""
        self._ends += 1
        place = _FIRST_END + self._ends
        self._network.attach(place, self._told)
        return End(self, place, server)

    def bytes_of(self, end: "End") -> int:
        """Return the bytes of all requests and replies of `end`."""
        there = self._network.traffic(end.place, end.server)
        return there.bytes + self._network.traffic(end.server, end.place).bytes

    def call(
        self,
        end: "End",
        name: str,
        argument: Plain,
        then: Callable[[Ring], None] | None = None,
    ) -> Ring:
        """Begin a call."""
        self.count += 1
        ring = Ring(self.count, self._timeline.now_us, next=then)
        self._open[ring.number] = ring
        is_open = self._network.is_open(end.place, end.server)
        content = msgspec.msgpack.encode(_Ask(ring.number, name, argument))
        sent = self._network.send(end.place, end.server, content)
        if not is_open or end.server not in self._echoes:
            late_us = self._chance.below(self._late_us_max + 1, "late failure", ring.number)
            self._after(late_us, self._fail, ring.number)
        elif not sent:
            late_us = self._network.profile.uniform_us
            self._after(late_us, self._fail, ring.number)
        else:
            self._after(SILENCE_US, self._fail, ring.number)
        return ring

    def link(self, end: "End", *, enabled: bool) -> None:
        """Cut or mend both ways of `end`."""
        change = self._network.unblock if enabled else self._network.block
        change(end.place, end.server)
        change(end.server, end.place)

    # Inside.

    def _after(self, delay_us: int, action: Callable[..., None], *arguments: Any) -> None:
        self._timeline.after_us(delay_us, "call", NOWHERE, action, *arguments)

    def _asked(self, echo: Echo, end: int, content: bytes) -> None:
        ask = msgspec.msgpack.decode(content, type=_Ask)
        echo.received += 1
        takes_us = echo.takes_us.get(ask.name, 0)
        if takes_us:
            self._after(takes_us, self._tell, echo, end, ask)
            self._after(LOOK_US, self._look, echo, ask.number)
        else:
            self._tell(echo, end, ask)

    def _look(self, echo: Echo, number: int) -> None:
        if echo.deleted:
            self._fail(number)
        elif number in self._open:
            self._after(LOOK_US, self._look, echo, number)

    def _tell(self, echo: Echo, end: int, ask: _Ask) -> None:
        if echo.deleted:
            return
        result = echo.functions[ask.name](ask.argument)
        content = msgspec.msgpack.encode(_Tell(ask.number, result))
        if not self._network.send(echo.place, end, content, reply=True):
            self._fail(ask.number)

    def _told(self, _server: int, content: bytes) -> None:
        tell = msgspec.msgpack.decode(content, type=_Tell)
        self._finish(tell.number, tell.result)

    def _fail(self, number: int) -> None:
        self._finish(number, None)

    def _finish(self, number: int, result: Plain | None) -> None:
        ring = self._open.pop(number, None)
        if ring is not None:
            ring.is_over, ring.result, ring.ended_us = True, result, self._timeline.now_us
            if ring.next is not None:
                ring.next(ring)


@dataclass(frozen=True, slots=True)
class End:
    """A caller of one server; its calls may overtake each other if the network lets them."""

    calls: Calls
    place: int
    server: int

    def call(
        self,
        name: str,
        argument: Plain,
        then: Callable[[Ring], None] | None = None,
    ) -> Ring:
        """Begin a call; `then` is told of its end."""
        return self.calls.call(self, name, argument, then)

    def enable(self, *, enabled: bool) -> None:
        """Mend or cut it; it is connected at first, and each cut is mended once."""
        self.calls.link(self, enabled=enabled)


def junk(argument: Plain) -> int:
    """Return how long a text is."""
    return len(str(argument))


def text(argument: Plain) -> str:
    """Return a text that says what was asked."""
    return f"handler2-{argument}"


def number(argument: Plain) -> int:
    """Return the number that a text is."""
    return int(argument)


FUNCTIONS: Final[dict[str, Function]] = {"number": number, "text": text, "junk": junk}
