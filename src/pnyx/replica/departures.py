"""What a group owes to shards that leave it, came to nothing, or were given to it at the start.

The destination drives a move, so there is little to do here: believe the directory once it says
that the shard is served elsewhere, ask the destination's log when a frozen shard stays frozen for
long, report a move that failed, found shards that nobody served before, and clear away a copy that
no attempt will finish. Time only starts questions; what decides is in a log.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine import moves as m
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import NOBODY, Serving
from pnyx.machine.directives import MoveFailed
from pnyx.machine.holdings import Phase, Shard
from pnyx.machine.moving import ACTIVATED, REJECTED
from pnyx.replica.asks import Ask, result_of, why_not
from pnyx.replica.limits import MigrationLimits
from pnyx.replica.requests import Answer

FOUNDED_AT_A_TIME: Final = 4_096
"""Shards in one entry."""

_Seen: TypeAlias = tuple[Phase, Epoch, GroupId, GroupId]


@dataclass(slots=True)
class _Case:
    """One shard that something may have to be done about."""

    seen: _Seen
    """The phase and epoch here, the directory's destination, and the target."""
    since_ms: int
    """It is like that since then, or since this leader looks."""
    retry_ms: int = 0
    asked: Ask | None = None
    outcome: tuple[Epoch, bool] | None = None
    """What the destination's log said of which attempt."""
    why: str = ""


class Departures:
    """All of one group, as its leader sees them."""

    __slots__ = ("_cases", "_found", "_found_ms", "_limits", "_me")

    def __init__(self, me: GroupId, limits: MigrationLimits) -> None:
        self._me = me
        self._limits = limits
        self._cases: dict[ShardId, _Case] = {}
        self._found: Ask | None = None
        self._found_ms = 0

    def keep(self, shards: set[ShardId]) -> None:
        """Forget what is known of all other shards."""
        self._cases = {shard: case for shard, case in self._cases.items() if shard in shards}

    def why(self, shard: ShardId) -> str:
        """Return why nothing goes on with a shard; empty if nothing is known to be in the way."""
        case = self._cases.get(shard)
        return "" if case is None else case.why

    def age_ms(self, shard: ShardId, now_ms: int) -> int:
        """Return for how long nothing happened to a shard, as far as this leader knows."""
        case = self._cases.get(shard)
        return 0 if case is None else now_ms - case.since_ms

    def wanted(
        self, shard: ShardId, held: Shard, serving: Serving, target: GroupId, now_ms: int
    ) -> Ask | None:
        """Return what is to be asked about a shard now."""
        seen = (held.phase, held.epoch, serving.destination, target)
        case = self._cases.get(shard)
        if case is None or case.seen != seen:
            case = self._cases[shard] = _Case(seen, now_ms)
        if case.asked is not None:
            if now_ms < case.asked.asked_ms + self._limits.patience_ms:
                return None
            case.asked = None
        if now_ms < case.retry_ms:
            return None
        age_ms = now_ms - case.since_ms
        if held.phase is Phase.SERVING:
            found = self._of_served(shard, held, serving, target, age_ms)
        else:
            found = self._of_leaving(shard, held, serving, case, age_ms)
        if found is not None:
            group, commands = found
            case.asked = Ask(self._me, group, commands, shard, held.epoch, asked_ms=now_ms)
        return case.asked

    def _of_leaving(
        self, shard: ShardId, held: Shard, serving: Serving, case: _Case, age_ms: int
    ) -> tuple[GroupId, tuple[AnyCommand, ...]] | None:
        epoch = held.epoch
        is_over = serving.epoch > epoch
        outcome = case.outcome[1] if case.outcome and case.outcome[0] == epoch else None
        match held.phase:
            case Phase.FROZEN if is_over or outcome is True:
                return self._me, (m.MoveDone(shard, epoch),)
            case Phase.FROZEN if outcome is False:
                return self._me, (m.MoveRejected(shard, epoch),)
            case Phase.FROZEN if age_ms >= self._limits.frozen_ms:
                return held.partner, (m.MoveResolve(shard, epoch),)
            case Phase.EXPORTING if case.seen[3] != serving.destination:
                if age_ms >= self._limits.unwanted_ms:
                    return self._me, (m.MoveAbort(shard, epoch),)
            case Phase.IMPORTING if is_over:
                # The source gave this attempt up, and may have served the shard on since then.
                return self._me, (m.MoveResolve(shard, epoch),)
            case _:
                pass
        return None

    def _of_served(
        self, shard: ShardId, held: Shard, serving: Serving, target: GroupId, age_ms: int
    ) -> tuple[GroupId, tuple[AnyCommand, ...]] | None:
        if serving.group != self._me or serving.destination == NOBODY:
            return None
        if held.epoch == serving.epoch + 2:
            return NOBODY, (MoveFailed(shard, held.epoch),)
        is_unwanted = target != serving.destination and held.epoch == serving.epoch
        if is_unwanted and age_ms >= self._limits.unwanted_ms:
            # Its destination never began: use the attempt up, so that it never can.
            begin = m.MoveBegin(shard, held.epoch, serving.destination)
            return self._me, (begin, m.MoveAbort(shard, held.epoch))
        return None

    def founding(self, shards: list[tuple[ShardId, Epoch]], now_ms: int) -> Ask | None:
        """Return the ask that founds some of `shards`, each in the epoch of the directory."""
        if self._found is not None and now_ms < self._found.asked_ms + self._limits.patience_ms:
            return None
        if now_ms < self._found_ms or not shards:
            return None
        epoch = shards[0][1]
        same = tuple([shard for shard, its in shards if its == epoch][:FOUNDED_AT_A_TIME])
        command = m.FoundShards(same, epoch)
        self._found = Ask(self._me, self._me, (command,), same[0], epoch, asked_ms=now_ms)
        return self._found

    def answered(self, ask: Ask, answer: Answer, now_ms: int) -> bool:
        """Take in an answer; False if it is to nothing that was asked here."""
        retry_ms = now_ms + self._limits.retry_ms
        if ask is self._found:
            self._found, self._found_ms = None, retry_ms
            return True
        case = self._cases.get(ask.shard)
        if case is None or case.asked is not ask:
            return False
        result = result_of(answer)
        case.asked, case.retry_ms, case.why = None, retry_ms, ""
        if result in {ACTIVATED, REJECTED}:
            case.outcome, case.retry_ms = (ask.epoch, result == ACTIVATED), 0
        elif result is None:
            case.why, case.retry_ms = (
                why_not(ask.group, answer),
                now_ms + 10 * self._limits.retry_ms,
            )
        return True
