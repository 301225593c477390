"""Runs commands for the threads of a blocking client: numbers first, then the courier."""

from collections.abc import Sequence
from time import monotonic
from typing import Any, Self

from pnyx.client.command import Command
from pnyx.client.courier import Courier
from pnyx.client.desk import Desk
from pnyx.client.errand import Call, numbered
from pnyx.client.ledger import SESSIONS_MAX
from pnyx.client.pipeline import chunks, ran_out, unsent
from pnyx.client.settings import Settings
from pnyx.errors import PnyxError


class Runner:
    """What the methods of a client, its pipelines, transactions and locks run on."""

    def __init__(self, settings: Settings, courier: Courier, sessions_max: int) -> None:
        self.settings = settings
        self.courier = courier
        self._desk = Desk(sessions_max)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the runner of a new client; nothing is connected yet."""
        return cls(settings, Courier(settings), SESSIONS_MAX)

    def with_session(self) -> "Runner":
        """Return one with a session of its own, over the same connections."""
        return Runner(self.settings, self.courier, sessions_max=1)

    def one(self, command: Command) -> Any:
        """Return a command's result, or raise its error."""
        return self.run((command,))[0].outcome()

    def run(self, queued: Sequence[Command]) -> list[Call]:
        """Carry out commands that leave together; each call has its result or error.

        Those that leave at a time have `timeout_s`; once that was too little no more leave.
        """
        calls: list[Call] = []
        part: list[Call] = []
        for piece in chunks(queued):
            left = piece
            while left:
                if ran_out(part):
                    return calls + unsent(queued[len(calls) :])
                ends_s = monotonic() + self.settings.timeout_s
                wanted = self.settings.wanted(left)
                try:
                    numbers = self._desk.take(wanted, ends_s, self._ask) if wanted else None
                except PnyxError as error:
                    part, left = [Call.failed(command, error) for command in left], ()
                else:
                    part, left = numbered(left, numbers)
                    try:
                        self.courier.carry_out(part, ends_s, self._desk.ack)
                    finally:
                        if numbers is not None:
                            self._desk.settle(part, numbers)
                calls += part
        return calls

    def _ask(self, reads: Sequence[Command], ends_s: float) -> list[Any]:
        calls, _rest = numbered(reads, None)
        self.courier.carry_out(calls, ends_s, self._desk.ack)
        return [call.outcome() for call in calls]
