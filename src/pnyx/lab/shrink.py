"""The smallest run that breaks the same rule: fewer requests, faults, clients, nodes, then time.

Delta debugging (Zeller & Hildebrandt 2002) over a plan. It works because decisions are stateless
(chance.py), and because requests are first nailed to when and where they were made: what is left
after a removal happens as it did before. A smaller plan is kept only if the *same* invariant
breaks; another one would be another bug.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypeVar

from pnyx.lab.faults import Fault
from pnyx.lab.run import Outcome
from pnyx.lab.swarm import Plan
from pnyx.lab.workload import Kept

Judge: TypeAlias = Callable[[Plan], Outcome]
T = TypeVar("T")

RUNS_MAX: Final = 400
"""So many runs are tried at most."""
EVENTS_MAX: Final = 3_000_000
"""And no new one once so many events have happened in them: some five minutes."""
MARGIN_US: Final = 1_000


@dataclass(slots=True)
class Shrinking:
    """A shrink under way, or its end."""

    plan: Plan
    """The smallest found so far."""
    outcome: Outcome
    runs: int = 0
    events: int = 0
    """In all those runs together."""

    @property
    def requests(self) -> int:
        """How many requests clients make in the smallest run, but for those to a healed core."""
        kept = self.plan.kept
        return self.outcome.requests if kept is None else len(kept)


def shrink(
    outcome: Outcome,
    judge: Judge,
    runs_max: int = RUNS_MAX,
    told: Callable[[Shrinking], None] | None = None,
    events_max: int = EVENTS_MAX,
) -> Shrinking:
    """Return the smallest plan found that breaks what `outcome` broke.

    `told` is called after each run that was kept.
    """
    assert outcome.violation is not None, "only a failed run can be shrunk"
    search = _Search(outcome, judge, runs_max, told, events_max)
    search.cut_time()
    search.nail_requests()
    before = -1
    while before != search.size():
        before = search.size()
        search.drop_requests()
        search.drop_faults()
        search.drop_clients()
        search.drop_nodes()
        search.shorten()
    return search.best


class _Search:
    def __init__(
        self,
        outcome: Outcome,
        judge: Judge,
        runs_max: int,
        told: Callable[[Shrinking], None] | None,
        events_max: int,
    ) -> None:
        assert outcome.violation is not None, "only a failed run can be shrunk"
        self.best = Shrinking(outcome.plan, outcome)
        self._invariant = outcome.violation.invariant
        self._judge = judge
        self._runs_max = runs_max
        self._events_max = events_max
        self._told = told

    def size(self) -> int:
        plan = self.best.plan
        return len(plan.faults) + self.best.requests + plan.world.nodes + plan.workload.clients

    def keeps(self, plan: Plan) -> bool:
        """Run `plan`; make it the best if it breaks the same invariant."""
        best = self.best
        if best.runs >= self._runs_max or best.events >= self._events_max:
            return False
        best.runs += 1
        outcome = self._judge(plan)
        best.events += outcome.events
        if outcome.violation is None or outcome.violation.invariant != self._invariant:
            return False
        best.plan, best.outcome = plan, outcome
        if self._told is not None:
            self._told(best)
        return True

    def cut_time(self) -> None:
        """Stop where it broke, without healing anything if it breaks without that, too."""
        plan, broke_us = self.best.plan, self.best.outcome.simulated_us
        faults = tuple(fault for fault in plan.faults if fault.at_us <= broke_us)
        self.keeps(replace(plan, safety_us=broke_us + MARGIN_US, faults=faults, core=()))

    def nail_requests(self) -> None:
        """Let each request be made when and where it was, whatever becomes of those before it."""
        plan = self.best.plan
        if plan.kept is None:
            made = tuple(
                Kept(ticket.client, ticket.number, ticket.called_us, ticket.process)
                for ticket in self.best.outcome.clients.tickets
                if ticket.called_us <= plan.safety_us
            )
            self.keeps(replace(plan, kept=made))

    def drop_faults(self) -> None:
        def with_faults(faults: Sequence[Fault]) -> Plan:
            return replace(self.best.plan, faults=tuple(faults))

        _minimise(self.best.plan.faults, lambda faults: self.keeps(with_faults(faults)))

    def drop_clients(self) -> None:
        while self.best.plan.workload.clients > 1:
            plan = self.best.plan
            fewer = replace(plan.workload, clients=plan.workload.clients - 1)
            if not self.keeps(replace(plan, workload=fewer)):
                return

    def drop_requests(self) -> None:
        plan = self.best.plan

        def without(kept: Sequence[Kept]) -> Plan:
            return replace(plan, kept=tuple(kept))

        _minimise(plan.kept or (), lambda kept: self.keeps(without(kept)))

    def drop_nodes(self) -> None:
        plan = self.best.plan
        for nodes in range(1, plan.world.nodes):
            faults = tuple(f for f in plan.faults if all(node <= nodes for node in f.nodes))
            core = tuple(node for node in plan.core if node <= nodes)
            fewer = replace(
                plan,
                world=replace(plan.world, nodes=nodes),
                faults=faults,
                core=core,
                kept=plan.kept and tuple(each for each in plan.kept if each.process <= nodes),
            )
            can_live = 2 * len(core) > nodes or not plan.core
            if can_live and self.keeps(fewer):
                return

    def shorten(self) -> None:
        """Round times and shorten what lasts: a person reads it more easily."""
        for position, fault in enumerate(self.best.plan.faults):
            for unit_us in (100_000, 10_000, 1_000):
                rounded = _rounded(fault, unit_us)
                faults = list(self.best.plan.faults)
                if rounded == fault:
                    break
                faults[position] = rounded
                if self.keeps(replace(self.best.plan, faults=tuple(faults))):
                    break


def _rounded(fault: Fault, unit_us: int) -> Fault:
    """Return `fault` with its times rounded to `unit_us`."""
    at_us = round(fault.at_us / unit_us) * unit_us
    lasts_us = max(round(fault.lasts_us / unit_us), 1) * unit_us
    return Fault(fault.kind, at_us, lasts_us, fault.nodes, fault.amount)


def _minimise(items: Sequence[T], keeps: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return a part of `items` that `keeps` still accepts, none of whose pieces can go (ddmin)."""
    left = list(items)
    if not left or keeps([]):
        return []
    pieces = 2
    while len(left) > 1:
        size = -(-len(left) // pieces)
        for start in range(0, len(left), size):
            fewer = left[:start] + left[start + size :]
            if fewer and keeps(fewer):
                left = fewer
                pieces = max(pieces - 1, 2)
                break
        else:
            if size == 1:
                break
            pieces = min(pieces * 2, len(left))
    return left
