"""The heartbeats of all quiet groups of a node, said to each other node in one message.

With many groups most of them do nothing most of the time, but for being heard twenty times a
second. One by one that costs a visit of a replica and a message for each peer; together, a line in
a list. A group that has anything else to say or to do is left to itself: quiet.py of its engine
decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pnyx.ids import GroupId, NodeId, Term
from pnyx.replica.effects import Effects, Now, Outbound
from pnyx.replica.messages import Beats, BeatsHeard, QuietBeat
from pnyx.replica.replica import Replica

TOGETHER_MIN: Final = 8
"""Fewer groups that are due at once say so themselves."""
TOLD_ROUNDS: Final = 8
"""Clocks and signs of life are passed on to a group with every so many rounds."""


@dataclass(slots=True)
class Chorus:
    """One node's."""

    replicas: Mapping[GroupId, Replica]
    _beats: dict[NodeId, list[tuple[GroupId, QuietBeat]]] = field(default_factory=dict)
    _answers: list[Outbound] = field(default_factory=list)

    def beat(self, due: Iterable[GroupId], now: Now) -> set[GroupId]:
        """Say the heartbeats of those of `due` that have nothing else to say; return which."""
        said: set[GroupId] = set()
        for group in due:
            replica = self.replicas.get(group)
            beat = None if replica is None else replica.consensus.quiet_beat(now.mono_ms)
            if replica is not None and beat is not None:
                said.add(group)
                for peer in replica.consensus.membership.peers(replica.me):
                    self._beats.setdefault(peer, []).append((group, beat))
        return said

    def hear(
        self, sender: NodeId, message: Beats, wall_ms: int, now: Now
    ) -> list[tuple[GroupId, QuietBeat]]:
        """Take in what `sender` leads; return the heartbeats that more follows from."""
        others: list[tuple[GroupId, QuietBeat]] = []
        heard: list[tuple[GroupId, Term, int]] = []
        for group, beat in message.beats:
            replica = self.replicas.get(group)
            if replica is None or not replica.consensus.quiet_heard(sender, beat, now.mono_ms):
                others.append((group, beat))
                continue
            if beat.round % TOLD_ROUNDS == 0:
                replica.heard(sender, wall_ms, now)
            heard.append((group, beat.term, beat.round))
        if heard:
            self._answers.append(Outbound(sender, BeatsHeard(tuple(heard))))
        return others

    def answered(
        self, sender: NodeId, message: BeatsHeard, wall_ms: int, now: Now
    ) -> list[tuple[GroupId, Any]]:
        """Take in the answers of `sender`; return those that more follows from."""
        others: list[tuple[GroupId, Any]] = []
        for group, term, number in message.heard:
            replica = self.replicas.get(group)
            if replica is None:
                continue
            reply = replica.consensus.quiet_answered(sender, term, number, now.mono_ms)
            if reply is not None:
                others.append((group, reply))
            elif number % TOLD_ROUNDS == 0:
                replica.heard(sender, wall_ms, now)
        return others

    def take(self) -> Effects | None:
        """Return what there is to send, about no group in particular; None if there is nothing."""
        if not (self._beats or self._answers):
            return None
        send, self._answers = self._answers, []
        send += [Outbound(peer, Beats(tuple(beats))) for peer, beats in self._beats.items()]
        self._beats = {}
        return Effects(send=send)
