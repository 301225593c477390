"""Tells whoever waits, once: clients of this node, and other nodes on behalf of theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pnyx.machine.holdings import WRONG_SHARD
from pnyx.machine.results import Result
from pnyx.replica.counters import Counters
from pnyx.replica.effects import Outbound
from pnyx.replica.forwards import Asker
from pnyx.replica.messages import ForwardReply
from pnyx.replica.requests import Answer, Done, NotDone, Reason, Request, Unknown


@dataclass(slots=True)
class Answers:
    """Answers that were given and not taken yet by the replica's `effects`."""

    counters: Counters
    told: list[tuple[Any, Answer]] = field(default_factory=list)
    """(ticket, answer)."""
    replies: list[Outbound] = field(default_factory=list)

    def give(self, request: Request, answer: Answer) -> None:
        """Answer `request`."""
        if type(answer) is not Done:
            answer = self._counted(request, answer)
        ticket = request.ticket
        if type(ticket) is Asker:
            reply = ForwardReply(ticket.boot, ticket.number, answer)
            self.replies.append(Outbound(ticket.node, reply))
        elif ticket is not None:
            self.told.append((ticket, answer))

    def give_all(self, requests: Sequence[Request], answer: Answer) -> None:
        """Answer all of `requests` alike."""
        for request in requests:
            self.give(request, answer)

    def leave(self, requests: Sequence[Request], *, is_gone: bool) -> None:
        """Nothing of `requests` was done: the node stops, or the whole group `is_gone`."""
        for request in requests:
            # Of a group that is gone others have the shards: whoever asked can ask them.
            served_elsewhere = Done((WRONG_SHARD,) * len(request.commands))
            self.give(request, served_elsewhere if is_gone else NotDone(Reason.STOPPING))

    def give_results(self, requests: Sequence[Request], values: Sequence[Result]) -> None:
        """Answer `requests` with the results of their commands, which lie one after another."""
        results, at = tuple(values), 0
        for request in requests:
            end = at + len(request.commands)
            self.give(request, Done(results[at:end]))
            at = end

    def _counted(self, request: Request, answer: Answer) -> Answer:
        if type(answer) is Unknown and not request.changes_keys:
            # A read that rode in the log did nothing, whatever became of its entry.
            answer = NotDone(Reason.NO_QUORUM)
        if type(answer) is NotDone:
            self.counters.not_done += 1
        elif type(answer) is Unknown:
            self.counters.unknown += 1
        return answer
