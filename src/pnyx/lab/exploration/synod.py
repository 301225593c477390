"""Every run of single-decree Paxos in a small scope, as whole states and the steps between them.

A message that was sent stays in flight for ever (a promise until it is useless). So it may arrive
at any time, after any other, as often as you like or never: reordering, duplication and loss need
no steps of their own. Acceptors may restart at any time. What is finite is the number of rounds
that proposers begin; a proposer that crashes is one that begins its next round.

Learners are no part of a state: they send nothing, and since nothing leaves the network, what one
may know is whatever some order of the `Accepted` that were sent so far, or of some of them, makes
it know. All of that is judged in each state.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from pnyx.consensus.paxos import (
    Accept,
    Accepted,
    Acceptor,
    Learner,
    Prepare,
    Promise,
    Proposal,
    Proposer,
    Value,
)
from pnyx.errors import SettingsWrong
from pnyx.ids import NodeId
from pnyx.lab.exploration.checks import Broken, Check
from pnyx.lab.exploration.graph import Numbers, State
from pnyx.lab.exploration.scope import STATES_MAX

PROPOSERS_MAX: Final = 3
ROUNDS_MAX: Final = 3

Message: TypeAlias = Prepare | Promise | Accept | Accepted
Node: TypeAlias = Proposer | Acceptor
Happening: TypeAlias = "Begin | Hear | Restart"

ONE_VALUE: Final = Check(
    "one-value-chosen",
    "Paxos Made Simple §2.1",
    "A second value would be decided beside one that somebody already acts upon.",
)
LEARNERS_AGREE: Final = Check(
    "learned-is-chosen",
    "Paxos Made Simple §2.1",
    "Who learns what no majority accepted in one ballot acts upon what another may replace.",
)


@dataclass(frozen=True, slots=True)
class Decree:
    """What an exploration of single-decree Paxos covers.

    Raises:
        SettingsWrong: a number is not in its range.
    """

    rounds: tuple[int, ...] = (2, 1)
    """How many rounds each proposer may begin; one number a proposer, each wants its own value."""
    acceptors: int = 3
    depth_max: int = 200
    """Steps of the longest path."""
    states_max: int = 1_000_000
    """Whole states kept in memory."""

    def __post_init__(self) -> None:
        """Refuse what cannot be explored."""
        _require("proposers", len(self.rounds), 1, PROPOSERS_MAX)
        for rounds in self.rounds:
            _require("rounds", rounds, 0, ROUNDS_MAX)
        _require("acceptors", self.acceptors, 1, 5)
        _require("depth_max", self.depth_max, 1, 10_000)
        _require("states_max", self.states_max, 1, STATES_MAX)

    @property
    def quorum(self) -> int:
        """A majority of the acceptors."""
        return self.acceptors // 2 + 1


class Begin(Struct, frozen=True):
    """A proposer begins its next round."""


class Hear(Struct, frozen=True):
    """A message arrives; it may arrive again."""

    message: Message


class Restart(Struct, frozen=True):
    """An acceptor crashes and starts from what is durable."""


class Step(NamedTuple):
    """What leads from one whole state to the next."""

    place: int
    """Whose step it is: proposers first, from 0."""
    happening: Happening


Onward: TypeAlias = tuple[Step, State, Broken | None]


class Sight(NamedTuple):
    """A whole state as goals see it."""

    proposers: tuple[Proposer, ...]
    acceptors: tuple[Acceptor, ...]
    accepted: tuple[Accepted, ...]
    """All that acceptors ever sent."""
    quorum: int


class Synod:
    """All whole states of a scope: a number for each node, and as bits what was ever sent."""

    def __init__(self, scope: Decree) -> None:
        self.scope = scope
        proposers = [
            Proposer(NodeId(number), b"%c" % (96 + number), scope.quorum)
            for number in range(1, len(scope.rounds) + 1)
        ]
        first = len(proposers) + 1
        acceptors = [Acceptor(NodeId(first + number)) for number in range(scope.acceptors)]
        self._nodes = Numbers[Node]()
        self._messages = Numbers[Message]()
        self._accepts = 0
        """The bits of all `Accepted` that were met."""
        self._promises = 0
        """The bits of all `Promise` that were met."""
        self._to: dict[int, int] = {}
        """The place of a promise's proposer."""
        self._effects: dict[tuple[int, Happening], tuple[int, int]] = {}
        self._heard: dict[int, Hear] = {}
        self._judged: dict[int, Broken | None] = {}
        nodes: list[Node] = [*proposers, *acceptors]
        self.start: State = (*[self._nodes.number(node) for node in nodes], 0)

    # What a state is.

    def view(self, state: State) -> Sight:
        """Return a state as goals see it."""
        nodes = [self._nodes.things[number] for number in state[:-1]]
        return Sight(
            tuple(one for one in nodes if isinstance(one, Proposer)),
            tuple(one for one in nodes if isinstance(one, Acceptor)),
            self._accepted(state[-1]),
            self.scope.quorum,
        )

    def situation(self, state: State) -> State:
        """Return the part of a state that goals see."""
        return (*state[:-1], state[-1] & self._accepts)

    def node(self, state: State, place: int) -> Node:
        """Return one node as it is."""
        return self._nodes.things[state[place]]

    def sent(self, state: State) -> tuple[Message, ...]:
        """Return what was ever sent, in the order in which it was first met."""
        return tuple(self._messages.things[number] for number in _ones(state[-1]))

    # Where it leads.

    def onward(self, state: State) -> list[Onward]:
        """Return every step that changes something, in a fixed order."""
        found: list[Onward] = []
        proposers = len(self.scope.rounds)
        for place in range(len(state) - 1):
            node = self._nodes.things[state[place]]
            if isinstance(node, Acceptor):
                self._move(state, place, Restart(), found)
            elif node.round < self.scope.rounds[place]:
                self._move(state, place, Begin(), found)
        for number in _ones(state[-1]):
            happening = self._heard[number]
            match happening.message:
                case Prepare() | Accept():
                    for place in range(proposers, len(state) - 1):
                        self._move(state, place, happening, found)
                case Promise():
                    self._move(state, self._to[number], happening, found)
                case Accepted():
                    pass
        return found

    def _move(self, state: State, place: int, happening: Happening, found: list[Onward]) -> None:
        node, sent = self._effect(state[place], happening)
        nodes = [*state[:-1]]
        nodes[place] = node
        after = (*nodes, self._heeded(nodes, state[-1] | sent))
        if after != state:
            found.append((Step(place, happening), after, None))

    def _heeded(self, nodes: list[int], sent: int) -> int:
        """Return what was sent without the promises that their proposer ignores by now.

        It does so for ever, and states that differ in nothing else lead to the same ones.
        """
        for number in _ones(sent & self._promises):
            promise, node = self._heard[number], nodes[self._to[number]]
            if self._effect(node, promise) == (node, 0):
                sent ^= 1 << number
        return sent

    def _effect(self, number: int, happening: Happening) -> tuple[int, int]:
        """Return what a happening does to a node, and the message it sends; asked once."""
        known = self._effects.get((number, happening))
        if known is None:
            after, message = _stepped(self._nodes.things[number], happening)
            known = self._nodes.number(after), 0 if message is None else self._bit(message)
            self._effects[number, happening] = known
        return known

    def _bit(self, message: Message) -> int:
        number = self._messages.number(message)
        bit = 1 << number
        self._heard.setdefault(number, Hear(message))
        if isinstance(message, Accepted):
            self._accepts |= bit
        elif isinstance(message, Promise):
            self._promises |= bit
            self._to[number] = message.ballot.node - 1
        return bit

    # Whether a state may be.

    def judge(self, state: State) -> Broken | None:
        """Return what does not hold in this state, or None."""
        key = state[-1] & self._accepts
        if key not in self._judged:
            self._judged[key] = self._judged_now(self._accepted(key))
        return self._judged[key]

    def _judged_now(self, accepted: tuple[Accepted, ...]) -> Broken | None:
        values = chosen(accepted, self.scope.quorum)
        if len(values) > 1:
            names = " and ".join(value.decode() for value in sorted(values))
            return Broken(ONE_VALUE, f"{names} are both chosen")
        for value in sorted(learnable(accepted, self.scope.quorum)):
            if value not in values:
                what = f"a learner may learn {value.decode()}, which is not chosen"
                return Broken(LEARNERS_AGREE, what)
        return None

    def _accepted(self, sent: int) -> tuple[Accepted, ...]:
        things = [self._messages.things[number] for number in _ones(sent)]
        return tuple(one for one in things if isinstance(one, Accepted))


def chosen(accepted: tuple[Accepted, ...], quorum: int) -> set[Value]:
    """Return the values that are chosen: a quorum accepted each in one ballot."""
    by: dict[Proposal, set[NodeId]] = {}
    for one in accepted:
        by.setdefault(one.proposal, set()).add(one.acceptor)
    return {proposal.value for proposal, who in by.items() if len(who) >= quorum}


def learnable(accepted: tuple[Accepted, ...], quorum: int) -> set[Value]:
    """Return what learners may learn from these, in whatever order and however often each."""
    known = {Learner(quorum): None}
    waiting = list(known)
    for learner in waiting:
        for message in accepted:
            after = learner.accepted(message)
            if after not in known:
                known[after] = None
                waiting.append(after)
    return {learner.learned for learner in known if learner.learned is not None}


def _stepped(node: Node, happening: Happening) -> tuple[Node, Message | None]:
    match node, happening:
        case Proposer(), Begin():
            return node.prepare()
        case Proposer(), Hear(message=Promise() as promise):
            return node.promised(promise)
        case Acceptor(), Hear(message=Prepare() as prepare):
            return node.prepare(prepare)
        case Acceptor(), Hear(message=Accept() as accept):
            return node.accept(accept)
        case Acceptor(), Restart():
            return node.restarted(), None
        case _:
            raise AssertionError(f"{happening} never happens to {node}")


def _ones(bits: int) -> list[int]:
    numbers = []
    while bits:
        lowest = bits & -bits
        numbers.append(lowest.bit_length() - 1)
        bits ^= lowest
    return numbers


def _require(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SettingsWrong(
            f"{name} = {value} cannot be explored; nothing was started",
            cause=f"{name} must be from {least} to {most}",
            next_step="choose a smaller scope",
        )
