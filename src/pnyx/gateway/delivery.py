"""The commands of one run on their way to the groups that serve their keys, and their outcomes.

1. A run goes out as one request a group. Commands on one slot are always in the same request, and
   a request is done at one point of its group's log: so what follows on a key is done after what
   came before, whatever groups do among each other.
2. `WRONG_SHARD` means that nothing was done: that command, with all others on its shard, is sent
   again to whoever serves the shard by then, or waits until somebody does (parking.py). No other
   command of the run is ever sent twice.
3. `LATER` means that nothing was done, for the group had enough to do: what was told so, and that
   is all behind it in its request, is asked again for as long as it is told so.
4. The next run starts when all of this one is answered.
"""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, TypeAlias

from pnyx.gateway.client import Client
from pnyx.gateway.domain import Domain
from pnyx.gateway.fan import Fan, fan_of
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.outcomes import NOT_SERVED
from pnyx.gateway.run import Run
from pnyx.ids import GroupId
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import NOBODY
from pnyx.machine.holdings import LATER, WRONG_SHARD, slots_of
from pnyx.machine.results import Refusal, Result
from pnyx.replica.requests import Answer, Done, Elsewhere, NotDone, Reason, Request, Unknown

RETRY_SECONDS_FIRST: Final = 0.005
RETRY_SECONDS_MAX: Final = 0.1
"""Between questions to a group that does not serve the shard and is still said to."""

Outcome: TypeAlias = Result | Elsewhere | NotDone | Unknown
"""What became of one command."""


class Piece:
    """A command, or part of one, that is not done yet."""

    __slots__ = ("asked", "at", "command")

    def __init__(self, at: int, command: AnyCommand, asked: GroupId = NOBODY) -> None:
        self.at = at
        """Its place among the run's commands."""
        self.command = command
        self.asked = asked
        """Which group said last that it does not serve it."""


class Part:
    """The ticket of a request for some of the run."""

    __slots__ = ("_delivery", "group", "pieces")

    def __init__(self, delivery: "Delivery", group: GroupId, pieces: list[Piece]) -> None:
        self._delivery = delivery
        self.group = group
        self.pieces = pieces

    def answered(self, answer: Answer) -> None:
        """Take the answer of the request."""
        self._delivery.took(self, answer)


class Delivery:
    """One connection's: it has one run under way at a time."""

    def __init__(
        self, lobby: Lobby, client: Client, told: Callable[[Sequence[Outcome]], None]
    ) -> None:
        """Start with nothing under way; `told` gets one outcome a command of each run."""
        self._lobby = lobby
        self._store = lobby.store
        self._told = told
        self._forward = not client.speaks_cluster
        self._domain = Domain(lobby.store, speaks_cluster=client.speaks_cluster)
        self._run = Run()
        self._outcomes: list[Outcome] = []
        self._fan: Fan | None = None
        self._rest: list[Piece] = []
        self._open = 0
        """Parts that are not answered."""
        self._is_partly_done = False
        """Of the command with a fan: some group did its part."""
        self._failure: Refusal | Elsewhere | NotDone | Unknown | None = None
        """Of the command with a fan: a part that was not done, for that reason."""
        self._tries = 0
        self._retry_at = 0.0
        self._until = 0.0
        self._is_over = False

    def start(self, run: Run, started: float) -> None:
        """Send out a run; `started` on the monotonic clock is when its time begins."""
        self._run = run
        self._until = started + self._lobby.park_seconds
        if run.group:
            self._store.submit(run.group, self._request(self, run.commands, by_log=run.by_log))
            return
        self._begin()
        if run.is_alone:
            self._fan, whole = fan_of(run.commands[0], self._domain)
            self._rest = [Piece(0, whole)]
        else:
            self._rest = [Piece(at, command) for at, command in enumerate(run.commands)]
        if not self._send(started):
            # Who starts a run is not told from inside: what is refused at once would nest.
            asyncio.get_running_loop().call_soon(self._wait)

    def stop(self) -> None:
        """The client is gone: nothing more is sent, nobody told."""
        self._is_over = True
        self._lobby.parking.forget(self)

    # What the store answers.

    def answered(self, answer: Answer) -> None:
        """Take the answer to a run that went to one group."""
        if type(answer) is not Done:
            assert not isinstance(answer, Done), "there is no other kind"
            self._told([answer] * len(self._run.commands))
        elif answer.results[-1] != LATER and WRONG_SHARD not in answer.results:
            self._told(answer.results)
        else:
            self._begin()
            pieces = [Piece(at, command) for at, command in enumerate(self._run.commands)]
            self._open = 1
            self.took(Part(self, self._run.group, pieces), answer)

    def took(self, part: Part, answer: Answer) -> None:
        """Take the answer to a part of the run."""
        self._open -= 1
        if isinstance(answer, Done):
            self._took_results(part, answer.results)
        else:
            for piece in part.pieces:
                self._failed(piece, answer)
        if self._open or self._is_over:
            return
        if self._failure is not None:
            self._rest = []
        if not self._rest or not self._send(monotonic()):
            self._wait()

    # Parking.

    @property
    def size(self) -> int:
        """Bytes of the run's words."""
        places = [place for place in self._run.plan if isinstance(place, tuple)]
        return sum([sum(map(len, words)) for _, words, _ in places])

    def look(self, now: float) -> bool:
        """Send what somebody serves by now, or give up; return whether either happened."""
        if self._is_over:
            return True
        if now >= self._until:
            self._give_up(NOT_SERVED)
            return True
        if not self._send(now):
            if self._rest:
                return False
            self._finish()
        return True

    # Inside.

    def _begin(self) -> None:
        self._outcomes = [None] * len(self._run.commands)
        self._fan = None
        self._is_partly_done = False
        self._failure = None
        self._tries = 0
        self._retry_at = 0.0

    def _wait(self) -> None:
        """Finish if nothing is left that must be waited for, else park what is."""
        if self._fan is not None and self._fan.may_end():
            self._rest = []
        if not self._rest:
            self._finish()
        elif not self._lobby.parking.hold(self):
            self._give_up(NotDone(Reason.OVERLOADED))

    def _send(self, now: float) -> bool:
        """Submit what somebody serves; False if that is nothing."""
        parts: dict[GroupId, list[Piece]] = {}
        rest, self._rest = self._rest, []
        for piece in rest:
            for group, command in self._cut(piece):
                asked = piece if command is piece.command else Piece(piece.at, command, piece.asked)
                if group == NOBODY or (group == piece.asked and now < self._retry_at):
                    self._rest.append(asked)
                else:
                    parts.setdefault(group, []).append(asked)
        self._open = len(parts)
        for group, pieces in parts.items():
            commands = tuple([piece.command for piece in pieces])
            by_log = any(command.writes for command in commands)
            ticket = Part(self, group, pieces)
            self._store.submit(group, self._request(ticket, commands, by_log=by_log))
        return bool(parts)

    def _request(
        self, ticket: "Delivery | Part", commands: Sequence[AnyCommand], *, by_log: bool
    ) -> Request:
        run = self._run
        # Without a replica of the group here, any member of it may answer a stale read.
        forward = self._forward or run.stale
        return Request(ticket, commands, by_log, forward, run.stale_role_ok, run.stale)

    def _cut(self, piece: Piece) -> list[tuple[GroupId, AnyCommand]]:
        if self._fan is None:
            # All of its keys have one slot.
            return [(self._store.group_of_slot(slots_of(piece.command)[0]), piece.command)]
        parts = self._fan.cut(piece.command)
        if isinstance(parts, Refusal):
            self._failed(piece, parts)
            return []
        return parts

    def _refused(self, group: GroupId, piece: Piece) -> None:
        piece.asked = group
        self._rest.append(piece)
        self._retry_at = monotonic() + min(RETRY_SECONDS_FIRST * 2**self._tries, RETRY_SECONDS_MAX)
        self._tries += 1
        if self._fan is not None:
            self._fan.refused(piece.command)

    def _took_results(self, part: Part, results: Sequence[Result]) -> None:
        for piece, result in zip(part.pieces, results, strict=True):
            if result == WRONG_SHARD:
                self._refused(part.group, piece)
            elif result == LATER:
                # Who had no part of the turn asks again first, so that everybody has one.
                piece.asked = NOBODY if results[0] == LATER else part.group
                self._rest.append(piece)
            else:
                self._done(part.group, piece, result)
        if results[-1] == LATER:
            now = monotonic()
            self._until = now + self._lobby.park_seconds
            self._retry_at = max(self._retry_at, now + RETRY_SECONDS_FIRST)

    def _done(self, group: GroupId, piece: Piece, result: Result) -> None:
        if self._fan is None:
            self._outcomes[piece.at] = result
            return
        self._is_partly_done = True
        more = self._fan.took(group, piece.command, result)
        if more is not None:
            self._rest.append(Piece(piece.at, more))

    def _failed(self, piece: Piece, why: Refusal | Elsewhere | NotDone | Unknown) -> None:
        if self._fan is None:
            self._outcomes[piece.at] = why
        elif not isinstance(self._failure, Unknown):
            self._failure = why

    def _give_up(self, why: Refusal | NotDone) -> None:
        for piece in self._rest:
            self._failed(piece, why)
        self._rest = []
        self._finish()

    def _finish(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        fan, self._fan = self._fan, None
        if fan is not None:
            outcomes = [self._whole(fan)]
        self._told(outcomes)

    def _whole(self, fan: Fan) -> Outcome:
        if self._failure is None:
            return fan.result()
        # Nobody may read "nothing was done" where one group did its part.
        is_half = self._is_partly_done and self._run.by_log
        return Unknown() if is_half else self._failure
