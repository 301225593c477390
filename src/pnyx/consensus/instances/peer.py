"""A peer: what it hears and wants becomes what it writes, and then says.

Nothing is said, and nothing of its own is counted, before everything that was written until then is
durable: one rule for all of it, so no message has to be looked at for what it depends on.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from pnyx.consensus import paxos
from pnyx.consensus.instances.instance import NEVER, Instance
from pnyx.consensus.instances.messages import (
    Accept,
    Decided,
    Known,
    Learned,
    Letter,
    Message,
    Noted,
    Prepare,
    Promised,
    Refill,
    Refilled,
    Refused,
    Taken,
    Told,
)
from pnyx.consensus.instances.record import Closed, Entry, Found, Record, Standing, Write
from pnyx.consensus.instances.rejoining import Rejoining, name_of
from pnyx.consensus.paxos import Accepted, Acceptor, Ballot, Learner, Promise, Proposer, Value
from pnyx.ids import NodeId
from pnyx.prng import Prng

TELL_MS: Final = 100
"""Who has nothing else to say says after this what it is done with."""
PAIR: Final = 2
"""So many acceptances are known to who accepts after the proposer: both of theirs."""
REFILL_MS: Final = 200
"""A peer without a disk asks again after this."""


class Fate(Enum):
    """What is known of an instance."""

    DECIDED = "decided"
    PENDING = "pending"
    FORGOTTEN = "forgotten"


class Status(NamedTuple):
    """An instance's fate, and what was decided."""

    fate: Fate
    value: Value | None = None


PENDING: Final = Status(Fate.PENDING)
FORGOTTEN: Final = Status(Fate.FORGOTTEN)


class Post(NamedTuple):
    """A letter to a peer."""

    to: NodeId
    letter: Letter


@dataclass(frozen=True, slots=True)
class Ready:
    """What to write; when it is durable, and all before it: what to send."""

    write: Write
    posts: tuple[Post, ...]


class Peer:
    """One of several that agree on a value for each instance."""

    def __init__(
        self, me: NodeId, peers: Sequence[NodeId], prng: Prng, now_ms: int, found: Found
    ) -> None:
        """Go on from what its disk holds.

        Args:
            me: one of `peers`.
            peers: all of them, for ever.
            prng: for the pauses between rounds.
            now_ms: of any clock that only grows.
            found: what the disk holds.
        """
        self.me = me
        self.peers = tuple(peers)
        self.others = tuple(peer for peer in peers if peer != me)
        self.quorum = len(peers) // 2 + 1
        self.birth = found.birth
        standing = found.standing or Standing({}, {}, is_refilled=found.birth == 0)
        self.births = {peer: standing.births.get(peer, 0) for peer in peers}
        self.births[me] = found.birth
        self.done_by = {peer: standing.done.get(peer, -1) for peer in peers}
        self.instances: dict[int, Instance] = {}
        self.rejoining: Rejoining | None = None
        self._name = name_of(me, found.birth, peers)
        self._prng = prng
        self._now_ms = now_ms
        self._highest = self.min - 1
        self._wanted: dict[int, Value] = {}
        """Started before it was refilled."""
        self._changed: dict[int, None] = {}
        """Whose records are to be written."""
        self._is_standing_changed = False
        self._posts: list[tuple[NodeId, Message]] = []
        self._own: list[tuple[int, Promise | Accepted]] = []
        """Its own answers to itself, of what is not written yet."""
        self._unwritten: deque[list[tuple[int, Promise | Accepted]]] = deque()
        """The same, by `Ready` that is not durable yet."""
        self._untold: set[NodeId] = set()
        self._tell_ms = NEVER
        for seq, record in sorted(found.records.items()):
            self._take_in(seq, record)
        if not standing.is_refilled:
            self._rejoin()

    # What a service asks.

    @property
    def min(self) -> int:
        """The lowest instance that is not forgotten: one above what *every* peer is done with."""
        return 1 + min(self.done_by.values())

    @property
    def max(self) -> int:
        """The highest instance that was ever heard of; -1 if none was."""
        return self._highest

    @property
    def is_ready(self) -> bool:
        """Does it take part? Not while it waits to be refilled."""
        return self.rejoining is None

    def start(self, seq: int, value: Value) -> None:
        """Have `seq` decided: `value`, or what others want. Nothing if it is decided or forgotten.

        It returns at once; see `status`.
        """
        if seq < self.min:
            return
        if self.rejoining is not None:
            self._wanted.setdefault(seq, value)
            return
        one = self._instance(seq)
        if one.value is None and one.proposer is None:
            one.proposer = Proposer(self._name, value, self.quorum)
            self._begin_round(one)

    def status(self, seq: int) -> Status:
        """Return what this peer knows of an instance; nobody else is asked."""
        if seq < self.min:
            return FORGOTTEN
        one = self.instances.get(seq)
        if one is None or one.value is None:
            return PENDING
        return Status(Fate.DECIDED, one.value)

    def done(self, seq: int) -> None:
        """Need no instance up to and with `seq` any more; it is forgotten when nobody does."""
        if seq > self.done_by[self.me]:
            self._note_done(self.me, seq)
            self._untold.update(self.others)
            self._tell_ms = min(self._tell_ms, self._now_ms + TELL_MS)

    # What a driver does.

    @property
    def deadline_ms(self) -> int:
        """When `tick` is due next."""
        dues = [one.due_ms for one in self.instances.values() if one.due_ms != NEVER]
        rejoins = self.rejoining.due_ms if self.rejoining is not None else NEVER
        return min([*dues, self._tell_ms, rejoins])

    def tick(self, now_ms: int) -> None:
        """Time has passed."""
        self._now_ms = now_ms
        if self.rejoining is not None and self.rejoining.due_ms <= now_ms:
            self.rejoining.due_ms = now_ms + REFILL_MS
            self._to_all(Refill(), self.others)
        due = [one for one in self.instances.values() if one.due_ms <= now_ms]
        for one in sorted(due, key=lambda each: each.seq):
            if one.value is not None:
                self._tell_decided(one)
            elif one.proposer is not None:
                self._begin_round(one)
        if self._tell_ms <= now_ms:
            self._tell_ms = NEVER
            self._to_all(Told(), sorted(self._untold))

    def step(self, sender: NodeId, letter: Letter, now_ms: int) -> None:
        """A letter arrives."""
        self._now_ms = now_ms
        for node, birth, done in letter.known:
            self._note_birth(node, birth)
            self._note_done(node, done)
        if letter.birth < self.births[sender]:
            # A disk that is gone speaks.
            return
        message = letter.message
        if self.rejoining is not None:
            if isinstance(message, Refilled):
                self._on_refilled(sender, message)
            return
        match message:
            case Refill():
                records = [(seq, one.record) for seq, one in sorted(self.instances.items())]
                self._posts.append((sender, Refilled(tuple(records))))
            case Told() | Refilled():
                pass
            case Prepare(seq=seq) | Accept(seq=seq) | Decided(seq=seq) if seq < self.min:
                self._posts.append((sender, Noted(seq)))
            case _ if message.seq >= self.min:
                self._on_instance(sender, message)
            case _:
                # An answer about what is forgotten.
                pass

    def ready(self) -> Ready | None:
        """Return what to do, or None; each is confirmed by `persisted`, in order."""
        write = self._write()
        if write.is_empty and not self._posts and not self._own:
            return None
        known = tuple(Known(peer, self.births[peer], self.done_by[peer]) for peer in self.peers)
        posts = tuple(Post(to, Letter(self.birth, known, what)) for to, what in self._posts)
        self._untold.difference_update(to for to, _ in self._posts)
        if not self._untold:
            self._tell_ms = NEVER
        self._posts = []
        self._unwritten.append(self._own)
        self._own = []
        return Ready(write, posts)

    def persisted(self, now_ms: int) -> None:
        """The oldest `Ready` that was not confirmed is durable: its own part of it counts now."""
        self._now_ms = now_ms
        for seq, answer in self._unwritten.popleft():
            one = self.instances.get(seq)
            if one is None:
                continue
            if isinstance(answer, Promise):
                self._count_promise(one, answer)
            else:
                self._hear(one, answer)

    # Inside: one instance.

    def _on_instance(self, sender: NodeId, message: Message) -> None:
        assert not isinstance(message, Refill | Refilled | Told), "those are of no instance"
        one = self._instance(message.seq)
        match message:
            case Prepare() | Accept():
                self._on_request(one, sender, message)
            case Decided(value=value):
                self._close(one, value)
                self._posts.append((sender, Noted(one.seq)))
            case Learned(value=value):
                self._on_learned(one, sender, value)
            case Promised(ballot=ballot, accepted=accepted):
                self._count_promise(one, Promise(ballot, sender, accepted))
            case Taken(ballot=ballot):
                self._on_taken(one, sender, ballot)
            case Refused(promised=promised):
                one.raise_round(promised)
            case Noted():
                self._on_aware(one, sender)

    def _on_request(self, one: Instance, sender: NodeId, message: Prepare | Accept) -> None:
        if one.value is not None:
            self._posts.append((sender, Learned(one.seq, one.value)))
            return
        answer: Message | None = None
        if isinstance(message, Prepare):
            one.acceptor, promise = one.acceptor.prepare(paxos.Prepare(message.ballot))
            if promise is not None:
                answer = Promised(one.seq, promise.ballot, promise.accepted)
        else:
            one.acceptor, accepted = one.acceptor.accept(paxos.Accept(message.proposal))
            if accepted is not None:
                answer = Taken(one.seq, accepted.proposal.ballot)
                self._own.append((one.seq, accepted))
                self._hear(one, Accepted(message.proposal, sender))
        if answer is not None:
            self._changed[one.seq] = None
        self._posts.append((sender, answer or Refused(one.seq, one.acceptor.promised)))

    def _on_learned(self, one: Instance, sender: NodeId, value: Value) -> None:
        is_wanted = one.proposer is not None
        self._close(one, value)
        if is_wanted:
            # Who decided it may never reach those that this peer does.
            one.unaware = {peer for peer in self.others if peer != sender}
            self._tell_decided(one)

    def _begin_round(self, one: Instance) -> None:
        prepare = one.propose()
        promise = Promise(prepare.ballot, self.me, one.acceptor.accepted)
        self._own.append((one.seq, promise))
        self._changed[one.seq] = None
        self._to_all(Prepare(one.seq, prepare.ballot), self.others)
        one.wait(self._now_ms, self._prng)

    def _count_promise(self, one: Instance, promise: Promise) -> None:
        accept = one.count_promise(promise)
        if accept is None:
            return
        one.acceptor, accepted = one.acceptor.accept(accept)
        if accepted is None:
            # Its own acceptor has promised more meanwhile.
            one.raise_round(one.acceptor.promised)
            return
        self._own.append((one.seq, accepted))
        self._changed[one.seq] = None
        self._to_all(Accept(one.seq, accept.proposal), self.others)

    def _on_taken(self, one: Instance, sender: NodeId, ballot: Ballot) -> None:
        proposal = one.proposer.proposal if one.proposer is not None else None
        if proposal is not None and proposal.ballot == ballot:
            self._hear(one, Accepted(proposal, sender))
        if one.value is not None and self._takers_know:
            self._on_aware(one, sender)

    @property
    def _takers_know(self) -> bool:
        """Does who accepts after the proposer know at once that it is chosen?"""
        return self.quorum == PAIR

    def _hear(self, one: Instance, accepted: Accepted) -> None:
        """Count an acceptance. With the last one the value is known; its proposer tells others."""
        if not one.hear(accepted):
            return
        is_mine = accepted.proposal.ballot.node == self._name
        self._settle(one)
        if is_mine:
            one.unaware = set(self.others)
            if self._takers_know:
                # Most will have said by then that they accepted.
                one.wait(self._now_ms, self._prng)
            else:
                self._tell_decided(one)

    def _close(self, one: Instance, value: Value) -> None:
        if one.value is None:
            one.close(value)
            self._settle(one)

    def _settle(self, one: Instance) -> None:
        one.settle()
        self._changed[one.seq] = None

    def _tell_decided(self, one: Instance) -> None:
        assert one.value is not None, "only what is known is told"
        self._to_all(Decided(one.seq, one.value), sorted(one.unaware))
        one.wait(self._now_ms, self._prng)

    def _on_aware(self, one: Instance, peer: NodeId) -> None:
        one.unaware.discard(peer)
        if one.value is not None and not one.unaware:
            one.due_ms = NEVER

    # Inside: all of them.

    def _instance(self, seq: int) -> Instance:
        one = self.instances.get(seq)
        if one is None:
            one = Instance(seq, Acceptor(self.me), Learner(self.quorum))
            self.instances[seq] = one
            self._highest = max(self._highest, seq)
        return one

    def _take_in(self, seq: int, record: Record) -> None:
        """Hold what a disk says. What it accepted is not counted: another may have done so."""
        one = self._instance(seq)
        if isinstance(record, Closed):
            one.close(record.value)
        else:
            one.acceptor = Acceptor(self.me, record.promised, record.accepted)

    def _note_birth(self, node: NodeId, birth: int) -> None:
        if birth <= self.births[node]:
            return
        assert node != self.me, "a disk that was replaced has come back: it must not take part"
        self.births[node] = birth
        self._is_standing_changed = True
        for one in self.instances.values():
            one.disown(node)
        if self.rejoining is not None:
            self.rejoining.answers.pop(node, None)

    def _note_done(self, node: NodeId, done: int) -> None:
        if done <= self.done_by[node]:
            return
        before = self.min
        self.done_by[node] = done
        if self.min > before:
            self._highest = max(self._highest, self.min - 1)
            self._is_standing_changed = True
            for seq in sorted(seq for seq in self.instances if seq < self.min):
                del self.instances[seq]
                self._changed[seq] = None
            self._wanted = {seq: v for seq, v in self._wanted.items() if seq >= self.min}

    def _rejoin(self) -> None:
        self.rejoining = Rejoining(self.quorum, due_ms=self._now_ms)

    def _on_refilled(self, sender: NodeId, message: Refilled) -> None:
        assert self.rejoining is not None, "only who has asked is refilled"
        self.rejoining.answers[sender] = message.records
        if not self.rejoining.is_enough:
            return
        for seq, record in self.rejoining.merged().items():
            if seq >= self.min:
                self._take_in(seq, record)
                self._changed[seq] = None
        self.rejoining = None
        self._is_standing_changed = True
        wanted, self._wanted = self._wanted, {}
        for seq, value in wanted.items():
            self.start(seq, value)

    def _to_all(self, message: Message, peers: Iterable[NodeId]) -> None:
        self._posts += [(peer, message) for peer in peers]

    def _write(self) -> Write:
        entries = [
            Entry(seq, self.instances[seq].record if seq in self.instances else None)
            for seq in self._changed
        ]
        self._changed = {}
        standing = None
        if self._is_standing_changed:
            self._is_standing_changed = False
            is_refilled = self.rejoining is None
            standing = Standing(dict(self.births), dict(self.done_by), is_refilled)
        return Write(tuple(entries), standing)
