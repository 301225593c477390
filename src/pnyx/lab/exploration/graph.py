"""Whole states as small numbers, and the steps from one to the next.

A whole state is a tuple: a number for each member, one for what is past, one for the budgets that
are left, one for the messages in flight. The tables behind the numbers only grow. What a step does
to a member is asked of the product's code once and looked up ever after.
"""

from collections.abc import Hashable
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import AppendEntries
from pnyx.consensus.ready import Entry, EntryKind, HardState
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.exploration.checks import (
    Broken,
    held_durably,
    leader_lacks,
    logs_disagree,
    majority_lacks,
    remembered,
)
from pnyx.lab.exploration.facts import Durable, Facts, Flight, Past, View
from pnyx.lab.exploration.member import (
    Beat,
    Crash,
    Deliver,
    Happening,
    Member,
    Propose,
    Restart,
    Sync,
    TimeOut,
    could_be_late,
    could_happen,
    fresh,
    stepped,
)
from pnyx.lab.exploration.scope import Cost, Scope

State: TypeAlias = tuple[int, ...]
Thing = TypeVar("Thing")


class Lose(NamedTuple):
    """A message gets lost."""

    flight: Flight


class Step(NamedTuple):
    """What leads from one whole state to the next."""

    place: int
    """Whose step it is: the members' number, from 0."""
    happening: Happening | Lose
    is_copy: bool = False
    """A copy of the message stays in flight."""


Onward: TypeAlias = tuple[Step, State, Broken | None]
"""A step, where it leads, and what it broke on the way. A plain tuple: millions are made."""


class Numbers(Generic[Thing]):
    """Gives equal things one number, in the order they were first seen."""

    def __init__(self) -> None:
        self.things: list[Thing] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, thing: Thing, key: Hashable = None) -> int:
        """Return the number of `thing`, which `key` tells apart (None: it does so itself)."""
        key = thing if key is None else key
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.things)
            self.things.append(thing)
        return number


class _Effect(NamedTuple):
    """What one happening does to one member: computed once."""

    step: Step
    cost: Cost | None
    member: int
    sent: tuple[int, ...]
    broken: Broken | None


_COSTS: Final[dict[type, Cost | None]] = {
    Sync: None,
    Restart: None,
    TimeOut: Cost.TIMEOUT,
    Beat: Cost.HEARTBEAT,
    Crash: Cost.CRASH,
    Propose: Cost.COMMAND,
    Deliver: None,
}


_RANKS_A_LANE: Final = 1 << 32


class Graph:
    """All whole states of a scope, as far as anybody asked for them."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        nodes = [NodeId(number) for number in range(1, scope.nodes + 1)]
        membership = Membership(tuple(nodes))
        self._nodes = nodes
        self._members: Numbers[Member] = Numbers()
        self._facts: list[Facts] = []
        self._pasts: Numbers[Past] = Numbers()
        self._budgets: Numbers[tuple[int, ...]] = Numbers()
        self._messages: Numbers[Flight] = Numbers()
        self._flights: Numbers[tuple[int, ...]] = Numbers()
        self._in_any_order = scope.reorderings is None
        self._lanes: list[int] = []
        self._ranks: list[int] = []
        """What messages in flight are sorted by: their lane, and in it, if links keep an order,
        nothing else: sorting leaves equals as they came."""
        self._lane_numbers: Numbers[tuple[NodeId, NodeId, bool]] = Numbers()
        # Remembered answers.
        self._own: dict[tuple[int, int], tuple[_Effect, ...]] = {}
        self._deliveries: list[dict[int, tuple[_Effect, ...]]] = []
        self._after_flights: dict[tuple[int, int | None, tuple[int, ...]], int] = {}
        self._after_past: dict[tuple[int, int], tuple[int, Broken | None]] = {}
        self._judged: dict[tuple[Any, ...], Any] = {}
        self.start: State = (
            *(
                self._member(fresh(node, membership, disk))
                for node, disk in zip(nodes, _disks(scope), strict=True)
            ),
            self._pasts.number(_past(scope)),
            self._budgets.number(scope.budget()),
            self._flights.number(()),
        )

    # What a state is.

    def view(self, state: State) -> View:
        """Return a state as goals see it."""
        size = self.scope.nodes
        members = tuple(self._facts[number] for number in state[:size])
        return View(members, self._pasts.things[state[size]], self.scope.commands)

    def situation(self, state: State) -> State:
        """Return the part of a state that goals see: neither budgets nor messages in flight."""
        return state[:-2]

    def budget(self, state: State) -> tuple[int, ...]:
        """Return what is left, in the order of `Cost`."""
        return self._budgets.things[state[self.scope.nodes + 1]]

    def in_flight(self, state: State) -> tuple[Flight, ...]:
        """Return the messages under way, oldest kinds first."""
        return tuple(self._messages.things[one] for one in self._flights.things[state[-1]])

    def counts(self) -> dict[str, int]:
        """Return how many different members, messages and sets of messages were met."""
        return {
            "members": len(self._members.things),
            "messages": len(self._messages.things),
            "flights": len(self._flights.things),
        }

    # Where it leads.

    def onward(self, state: State) -> list[Onward]:
        """Return every step that may follow, in a fixed order."""
        found: list[Onward] = []
        size = self.scope.nodes
        budget = state[size + 1]
        # In the beginning the members are alike, so that the first step may be the first one's.
        is_even = state == self.start and not self.scope.logs
        for place in range(1) if is_even else range(size):
            effects = self._own.get((state[place], budget))
            if effects is None:
                effects = self._own_effects(state[place], budget)
            found += [self._moved(state, place, one, None, one.cost) for one in effects]
        self._fly(state, self._budgets.things[budget], found)
        return found

    def _fly(self, state: State, left: tuple[int, ...], found: list[Onward]) -> None:
        lane, met = -1, set[int]()
        lanes, messages = self._lanes, self._messages.things
        for message in self._flights.things[state[-1]]:
            is_first = lanes[message] != lane
            if is_first:
                lane, met = lanes[message], {message}
            elif message in met or not (self._in_any_order or left[Cost.REORDERING]):
                continue
            else:
                met.add(message)
            # What overtakes an older message of its lane is what costs.
            cost = None if is_first or self._in_any_order else Cost.REORDERING
            place = messages[message].to - 1
            effects = self._deliveries[state[place]].get(message)
            if effects is None:
                effects = self._delivery_effects(state[place], message)
            for effect in effects:
                found.append(self._moved(state, place, effect, message, cost))
                if cost is None and left[Cost.DUPLICATION]:
                    found.append(self._moved(state, place, effect, message, Cost.DUPLICATION))
            if cost is None:
                self._lose(state, message, left, found)

    def _lose(self, state: State, message: int, left: tuple[int, ...], found: list[Onward]) -> None:
        place = self._messages.things[message].to - 1
        if not self._in_any_order and not self._facts[state[place]].is_up:
            # Nobody listens: it may wait for a restart, or be gone and make way for others.
            found.append(self._lost(state, message, None))
        elif left[Cost.LOSS]:
            found.append(self._lost(state, message, Cost.LOSS))

    def _moved(
        self, state: State, place: int, effect: _Effect, message: int | None, cost: Cost | None
    ) -> Onward:
        size = self.scope.nodes
        budget, flights, past = state[size + 1], state[-1], state[size]
        if cost is not None:
            budget = self._spent(budget, cost)
        step, taken = effect.step, message
        if cost is Cost.DUPLICATION:
            step, taken = step._replace(is_copy=True), None
        if taken is not None or effect.sent:
            flights = self._changed(flights, taken, effect.sent)
        known = self._after_past.get((past, effect.member))
        past, broken = self._remember(past, effect.member) if known is None else known
        after = [*state[:size], past, budget, flights]
        after[place] = effect.member
        return step, tuple(after), effect.broken or broken

    def _lost(self, state: State, message: int, cost: Cost | None) -> Onward:
        budget = state[-2] if cost is None else self._spent(state[-2], cost)
        flights = self._changed(state[-1], message, ())
        flight = self._messages.things[message]
        after = (*state[:-2], budget, flights)
        return Step(flight.to - 1, Lose(flight)), after, None

    def _changed(self, flights: int, taken: int | None, sent: tuple[int, ...]) -> int:
        key = (flights, taken, sent)
        known = self._after_flights.get(key)
        if known is not None:
            return known
        now = [*self._flights.things[flights], *sent]
        if taken is not None:
            now.remove(taken)
        if sent:
            now.sort(key=self._ranks.__getitem__)
        number = self._after_flights[key] = self._flights.number(tuple(now))
        return number

    def _spent(self, budget: int, cost: Cost) -> int:
        left = list(self._budgets.things[budget])
        left[cost] -= 1
        return self._budgets.number(tuple(left))

    def _remember(self, past: int, member: int) -> tuple[int, Broken | None]:
        after, broken = remembered(self._pasts.things[past], self._facts[member])
        answer = self._pasts.number(after), broken
        self._after_past[past, member] = answer
        return answer

    # What a happening does, asked once.

    def _own_effects(self, member: int, budget: int) -> tuple[_Effect, ...]:
        left = self._budgets.things[budget]
        happenings = could_happen(self._members.things[member])
        leads = self._facts[member].leads
        if leads and self.scope.nodes == 1:
            # Alone, nobody else's silence deposes a leader and nobody hears its heartbeats.
            happenings = tuple(one for one in happenings if not isinstance(one, TimeOut | Beat))
        if leads and left[Cost.COMMAND]:
            number = self.scope.commands - left[Cost.COMMAND] + 1
            happenings += (Propose(b"%d" % number),)
        affordable = tuple(
            one for one in happenings if (cost := _COSTS[type(one)]) is None or left[cost]
        )
        effects = self._own[member, budget] = self._effects(member, affordable)
        return effects

    def _delivery_effects(self, member: int, message: int) -> tuple[_Effect, ...]:
        flight = self._messages.things[message]
        receiver = self._members.things[member]
        happenings: tuple[Happening, ...] = ()
        if receiver.core is not None:
            happenings = (Deliver(flight.sender, flight.message),)
            if could_be_late(receiver, flight.message):
                happenings += (Deliver(flight.sender, flight.message, is_late=True),)
        effects = self._deliveries[member][message] = self._effects(member, happenings)
        return effects

    def _effects(self, member: int, happenings: tuple[Happening, ...]) -> tuple[_Effect, ...]:
        effects: list[_Effect] = []
        place = self._facts[member].node - 1
        for happening in happenings:
            after = stepped(self._members.things[member], happening)
            number = self._member(after.member)
            sent = tuple([self._message(flight) for flight in after.sent])
            cost = _COSTS[type(happening)]
            step = Step(place, happening)
            effect = _Effect(step, cost, number, sent, after.broken)
            is_idle = number == member and not sent and not after.broken
            # Without order, never delivered is as good as delivered without effect; with it, what
            # was delivered makes way for others.
            blocks = isinstance(happening, Deliver) and not self._in_any_order
            if (blocks or not is_idle) and not (effects and effects[-1][2:] == effect[2:]):
                effects.append(effect)
        return tuple(effects)

    def _message(self, flight: Flight) -> int:
        number = self._messages.number(flight)
        if number == len(self._lanes):
            # As the transport does: appends travel apart, so that a heartbeat never waits for one.
            is_bulk = isinstance(flight.message, AppendEntries)
            lane = self._lane_numbers.number((flight.sender, flight.to, is_bulk))
            self._lanes.append(lane)
            self._ranks.append(lane * _RANKS_A_LANE + (number if self._in_any_order else 0))
        return number

    def _member(self, member: Member) -> int:
        number = self._members.number(member, (member.node, member.told_apart()))
        if number == len(self._facts):
            self._facts.append(member.facts())
            self._deliveries.append({})
        return number

    # Whether a state may be.

    def judge(self, state: State) -> Broken | None:
        """Return what does not hold in this state, or None."""
        size = self.scope.nodes
        key = state[: size + 1]
        if key in self._judged:
            return None
        broken = self._judged_now(key)
        self._judged[key] = broken
        return broken

    def _judged_now(self, key: State) -> Broken | None:
        *members, past_number = key
        past = self._pasts.things[past_number]
        facts = [self._facts[member] for member in members]
        for place, one in enumerate(facts):
            broken = leader_lacks(past, one)
            if broken:
                return broken
            for other in facts[:place]:
                broken = logs_disagree(one, other)
                if broken:
                    return broken
        return majority_lacks(past, [held_durably(past, one) for one in facts])


def _disks(scope: Scope) -> list[Durable]:
    # All have heard of the newest term, or one that has not could lead it once more.
    term = Term(max((term for log in scope.logs for term in log), default=0))
    return [
        Durable(HardState(term), tuple(_entry(index, of) for index, of in enumerate(log, start=1)))
        for log in scope.logs or [()] * scope.nodes
    ]


def _past(scope: Scope) -> Past:
    longest = max(scope.logs, key=len, default=())
    newest = Term(max((term for log in scope.logs for term in log), default=0))
    entries = [_entry(index, term) for index, term in enumerate(longest, start=1)]
    return Past((), tuple((entry, newest) for entry in entries[: scope.committed]))


def _entry(index: int, term: int) -> Entry:
    return Entry(Index(index), Term(term), EntryKind.EMPTY, b"")
