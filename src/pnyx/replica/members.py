"""Who becomes a member and who stops being one: the rules of a leader, and of who wants to join.

Whatever must outlive a leader stands in the membership itself, in the log. What is kept here is
for one leadership and may be forgotten at any time: a newcomer asks again every second, and an
operator gets an answer, if need be `Unknown`.

A learner has caught up when twice in a row everything that the log held at one moment arrived
within `ReplicaLimits.round_ms` (dissertation §4.2.1), and it is alive.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pnyx.consensus.consensus import Consensus
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Entry, EntryKind, Position, Role
from pnyx.ids import Index, NodeId
from pnyx.machine.group import Group
from pnyx.replica.answers import Answers
from pnyx.replica.changes import Change, next_step, promoted, swapped, with_newcomer
from pnyx.replica.effects import NEVER, Now, Outbound
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import Join, Retired
from pnyx.replica.requests import Answer, Done, Elsewhere, NotDone, Reason, Unknown

JOIN_MS: Final = 1_000
"""How often a newcomer asks."""
POLL_MS: Final = 100
"""How often a leader looks whether somebody has caught up."""
ROUNDS_MIN: Final = 2
JOINING_MAX: Final = 16
"""So many newcomers are looked at at once; others ask again."""

_decode: Final = msgspec.msgpack.Decoder(Membership).decode


@dataclass(slots=True)
class _Rounds:
    """How quickly one learner gets what the log holds."""

    target: Index
    began_ms: int
    quick: int = 0

    def look(self, match: Index, last: Index, now_ms: int, round_ms: int) -> bool:
        """Return whether the learner has caught up."""
        if match >= self.target:
            self.quick = self.quick + 1 if now_ms - self.began_ms <= round_ms else 0
            self.target, self.began_ms = last, now_ms
        return self.quick >= ROUNDS_MIN and now_ms - self.began_ms <= round_ms


@dataclass(slots=True)
class _Open:
    """The operator's change under way."""

    change: Change
    ticket: Any
    began_ms: int
    """The present step."""
    position: Position | None = None
    """Of the step's first entry, once it is appended."""
    landed: bool = False
    """That entry is committed; the membership may still be joint."""
    waits_for: Reason = Reason.NO_QUORUM
    """Why the step is not appended yet."""


@dataclass(slots=True)
class Members:
    """One replica's part. `outbox` is taken by the replica after each call."""

    me: NodeId
    consensus: Consensus
    group: Group
    limits: ReplicaLimits
    clients: Answers
    joins: str
    """The label that this node wants to hold, or empty."""
    outbox: list[Outbound] = field(default_factory=list)
    shunned: frozenset[NodeId] = frozenset()
    """Retired, and no part of the committed membership."""
    retired: str = ""
    """Why this node takes no part any more, in a sentence; empty while it does."""
    _told: str = ""
    _label: str = ""
    """What this node is or was called."""
    _applied: Membership | None = None
    _met: set[NodeId] = field(default_factory=set)
    _heard: dict[NodeId, int] = field(default_factory=dict)
    _leads: bool = False
    _led_since_ms: int = 0
    _open: _Open | None = None
    _joining: dict[NodeId, tuple[str, int]] = field(default_factory=dict)
    """Newcomer -> (label, when it asked last)."""
    _rounds: dict[NodeId, _Rounds] = field(default_factory=dict)
    _join_ms: int = 0
    _poll_ms: int = 0

    def __post_init__(self) -> None:
        """Take over what the machine holds."""
        self._label = self.joins
        self._notice()

    # What the outside says.

    def change(self, change: Change, ticket: Any, now: Now) -> None:
        """Begin a change; `ticket` is answered once."""
        leader = self.consensus.leader
        if self.consensus.role is not Role.LEADER:
            elsewhere = NotDone(Reason.NO_QUORUM) if leader is None else Elsewhere(leader)
            self.clients.told.append((ticket, elsewhere))
        elif self._open is not None:
            self.clients.told.append((ticket, NotDone(Reason.CHANGING)))
        else:
            self._open = _Open(change, ticket, now.mono_ms)
            self._go_on(now.mono_ms)

    def met(self, node: NodeId) -> None:
        """A link to `node` is up."""
        self._met.add(node)

    def lost(self, node: NodeId) -> None:
        """A link to `node` broke."""
        self._met.discard(node)

    def heard(self, node: NodeId, now: Now) -> None:
        """Something of `node` arrived."""
        self._heard[node] = now.mono_ms

    def turns_away(self, sender: NodeId, message: Any) -> bool:
        """Tell a retired node so; return whether `message` is to be dropped.

        Not while it leads: a leader that is removed is followed until it has handed over.
        """
        if sender not in self.shunned or sender == self.consensus.leader:
            return False
        if not isinstance(message, Retired):
            assert self._applied is not None, "who is shunned was named by a membership"
            self.outbox.append(Outbound(sender, Retired(self._applied.names)))
        return True

    def on_join(self, sender: NodeId, message: Join, now: Now) -> None:
        """A node asks to hold a label."""
        if self._leads and (sender in self._joining or len(self._joining) < JOINING_MAX):
            self._joining[sender] = (message.label, now.mono_ms)
            self._tend_join(sender, message.label, now.mono_ms)

    def on_retired(self, sender: NodeId, message: Retired) -> None:
        """A member says that this node is none any more; of anybody else it is not believed."""
        if not (message.names and self.consensus.membership.has(sender)):
            return
        self._told = _sentence(self.me, self._label, message.names)
        self._judge_itself()

    # What happened.

    def look(self, now: Now) -> None:
        """Notice that this replica leads, or does no more."""
        leads = self.consensus.role is Role.LEADER
        if leads == self._leads:
            return
        self._leads = leads
        self._judge_itself()
        self._led_since_ms = now.mono_ms
        self._joining.clear()
        self._rounds.clear()
        if self._open is not None and self._open.position is None:
            self._answer(NotDone(Reason.NO_QUORUM))

    def applied(self, entries: Sequence[Entry], now: Now) -> bool:
        """The machine has applied `entries`; return whether a change may have gone on."""
        opened = self._open
        if opened is not None and opened.position is not None:
            for entry in entries:
                if self._settles(entry, opened.position, opened, now.mono_ms):
                    break
        if self.group.membership is self._applied:
            return False
        self._notice()
        self._go_on(now.mono_ms)
        return True

    def jumped(self, index: Index) -> None:
        """A snapshot replaced the state up to `index`."""
        opened = self._open
        if opened is not None and opened.position is not None and opened.position.index <= index:
            self._answer(Unknown())
        self._notice()

    def tend(self, now: Now) -> None:
        """Ask again, look again, give up what took too long."""
        now_ms = now.mono_ms
        if now_ms >= self._join_ms and self._is_newcomer():
            self._join_ms = now_ms + JOIN_MS
            peers = sorted({*self._met, *self.consensus.membership.peers(self.me)} - {self.me})
            self.outbox += [Outbound(peer, Join(self.joins)) for peer in peers]
        if now_ms >= self._poll_ms:
            self._poll_ms = now_ms + POLL_MS
            self._go_on(now_ms)
            for node, (label, asked_ms) in list(self._joining.items()):
                if now_ms - asked_ms > 3 * JOIN_MS:
                    del self._joining[node]
                else:
                    self._tend_join(node, label, now_ms)
        opened = self._open
        if opened is not None and now_ms >= self._patience_ms(opened):
            late = opened.position is None
            self._answer(NotDone(opened.waits_for) if late else Unknown())

    def stop(self) -> None:
        """The node stops."""
        if self._open is not None:
            unstarted = self._open.position is None
            self._answer(NotDone(Reason.STOPPING) if unstarted else Unknown())

    # What the outside asks.

    @property
    def deadline_ms(self) -> int:
        """When `tend` is wanted next."""
        if not (self.joins or self._open or self._joining):
            return NEVER
        deadline_ms = self._join_ms if self._is_newcomer() else NEVER
        if self._open is not None:
            deadline_ms = min(deadline_ms, self._patience_ms(self._open), self._poll_ms)
        return min(deadline_ms, self._poll_ms) if self._joining else deadline_ms

    # Inside.

    def _notice(self) -> None:
        membership = self.group.membership
        self._applied = membership
        if membership is not None:
            self.shunned = frozenset(
                node for node in membership.retired if not membership.has(node)
            )
            self._label = next(
                (label for label, node in membership.names if node == self.me), self._label
            )
            self._judge_itself()

    def _judge_itself(self) -> None:
        if self._told or self._leads or self.me not in self.shunned:
            self.retired = self._told
        else:
            assert self._applied is not None, "who is shunned was named by a membership"
            self.retired = _sentence(self.me, self._label, self._applied.names)

    def _is_newcomer(self) -> bool:
        if not self.joins or self._told or self.me in self.shunned:
            return False
        membership = self.consensus.membership
        held = any(node == self.me for _, node in membership.names)
        return not held and self.me not in membership.voters

    def _settled(self) -> Membership | None:
        # The newest membership, if it is committed: nothing may rest on one that is not.
        membership = self.consensus.membership
        return membership if membership == self._applied and not membership.outgoing else None

    def _go_on(self, now_ms: int) -> None:
        opened = self._open
        present = self._settled()
        if opened is None or opened.position is not None:
            return
        if present is None:
            opened.waits_for = Reason.CHANGING
            return
        step = next_step(present, opened.change)
        if step is None:
            self._answer(Done(()))
        elif isinstance(step, Reason):
            self._answer(NotDone(step))
        elif not self._leads:
            self._answer(NotDone(Reason.NO_QUORUM))
        elif not all(self._caught_up(node, now_ms) for node in promoted(present, step)):
            opened.waits_for = Reason.NOT_CAUGHT_UP
        else:
            opened.waits_for = Reason.NO_QUORUM
            outcome = self.consensus.change_membership(step, now_ms)
            if isinstance(outcome, Position):
                opened.position, opened.began_ms = outcome, now_ms

    def _settles(self, entry: Entry, position: Position, opened: _Open, now_ms: int) -> bool:
        """Return whether the step is over with `entry`."""
        if entry.index == position.index:
            if entry.term != position.term:
                self._answer(NotDone(Reason.NO_QUORUM))
                return True
            opened.landed, opened.began_ms = True, now_ms
        if not opened.landed or entry.kind is not EntryKind.MEMBERSHIP:
            return False
        # The one after a joint membership is always its end, whoever appended it.
        if _decode(entry.payload).outgoing:
            return False
        opened.position, opened.landed, opened.began_ms = None, False, now_ms
        return True

    def _patience_ms(self, opened: _Open) -> int:
        if opened.position is not None:
            return opened.began_ms + self.limits.outcome_ms
        catches_up = opened.waits_for is Reason.NOT_CAUGHT_UP
        return opened.began_ms + (self.limits.catch_up_ms if catches_up else self.limits.park_ms)

    def _answer(self, answer: Answer) -> None:
        assert self._open is not None, "somebody waits for it"
        self.clients.told.append((self._open.ticket, answer))
        self._open = None

    def _tend_join(self, node: NodeId, label: str, now_ms: int) -> None:
        present = self._settled()
        if present is None:
            return
        holder = dict(present.names).get(label)
        if holder is None or holder == node or node in present.voters:
            # A label that nobody holds is given away by an operator.
            self._joining.pop(node, None)
        elif node not in present.learners:
            named = {held for _, held in present.names}
            forgotten = tuple(
                learner
                for learner in present.learners
                if learner not in named and self._is_silent(learner, now_ms)
            )
            self.consensus.change_membership(with_newcomer(present, node, forgotten), now_ms)
        elif self._caught_up(node, now_ms) and self._is_silent(holder, now_ms):
            self.consensus.change_membership(swapped(present, label, node), now_ms)

    def _is_silent(self, node: NodeId, now_ms: int) -> bool:
        # What was silent before we led, we do not know.
        heard_ms = max(self._heard.get(node, 0), self._led_since_ms)
        return node != self.me and now_ms - heard_ms >= self.limits.replace_silent_ms

    def _caught_up(self, node: NodeId, now_ms: int) -> bool:
        last = self.consensus.last_index
        match = self.consensus.match_indexes().get(node, Index(0))
        rounds = self._rounds.setdefault(node, _Rounds(last, now_ms))
        arrived = rounds.look(match, last, now_ms, self.limits.round_ms)
        # In a quiet group a dead node lacks nothing either.
        alive = now_ms - self._heard.get(node, -NEVER) <= self.limits.round_ms
        return arrived and alive


def _sentence(me: NodeId, label: str, names: Sequence[tuple[str, NodeId]]) -> str:
    holder = dict(names).get(label)
    if label and holder is not None and holder != me:
        return f"{label} is node {holder:x} now: this node, {me:x}, was replaced"
    return f"this node, {me:x}{f' ({label})' if label else ''}, was removed from its group"
