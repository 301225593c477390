"""Worlds of many groups: a controller, and groups on nodes of their own or on the same ones."""

from dataclasses import replace
from typing import Final

import pytest

from pnyx.consensus.engines import EngineName
from pnyx.consensus.multipaxos.multipaxos import MultiPaxos
from pnyx.consensus.raft.raft import Raft
from pnyx.ids import GroupId
from pnyx.lab.layout import Layout, apart, together
from pnyx.lab.process import Process
from pnyx.lab.watch import Watch
from pnyx.lab.world import World, WorldSettings
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import Member, Placement
from pnyx.machine.directives import Found, Join
from pnyx.replica.requests import Answer, Done, Request
from pnyx.replica.roster import CONTROL

GROUPS: Final = (7, 8, 9)
APART: Final = apart(GROUPS, shards=10)
TOGETHER: Final = together(GROUPS, shards=10)
SECOND_US: Final = 1_000_000


class Asker(Watch):
    """Somebody who asks one thing after the other."""

    def __init__(self, layout: Layout, seed: int = 1) -> None:
        self.told: Answer | None = None
        self.layout = layout
        self.world = World(seed, WorldSettings(layout=layout), [self])
        self.world.start()
        self.rest()

    def answered(self, process: Process, ticket: object, answer: Answer) -> None:
        if ticket is self:
            self.told = answer

    def rest(self) -> None:
        assert self.world.run(self.world.now_us + 3 * SECOND_US), self.world.violation

    def ask(self, node: int, group: GroupId, command: AnyCommand) -> Answer | None:
        self.told = None
        request = Request(self, (command,), by_log=command.writes, forward=True)
        assert self.world.processes[node].submit(request, group)
        self.rest()
        return self.told

    def found(self) -> None:
        """Ask for it where no replica of the controller is, if there is such a node."""
        last = self.layout.nodes
        assert isinstance(self.ask(last, CONTROL, Found(10)), Done)
        placements = tuple(
            Placement(
                GroupId(group),
                tuple(map(self.member, nodes)),
                self.layout.engines.get(group, EngineName.RAFT),
            )
            for group, nodes in self.layout.groups.items()
        )
        join = Join(placements, shared=self.layout.is_shared)
        assert isinstance(self.ask(last, CONTROL, join), Done)

    def member(self, node: int) -> Member:
        process = self.world.processes[node]
        return Member(process.label, f"{process.label}:7000", process.node)

    def seats(self) -> dict[int, set[int]]:
        """Return which groups have a replica where."""
        return {number: set(each.seats) for number, each in self.world.processes.items()}


@pytest.mark.parametrize("layout", [APART, TOGETHER], ids=["apart", "together"])
def test_groups_that_join_are_founded_where_they_are_placed_and_found_again(
    layout: Layout,
) -> None:
    asker = Asker(layout)
    asker.found()
    expected: dict[int, set[int]] = {number: set() for number in range(1, layout.nodes + 1)}
    for number in layout.controllers:
        expected[number].add(CONTROL)
    for group, nodes in layout.groups.items():
        for number in nodes:
            expected[number].add(group)
    assert asker.seats() == expected
    for number in expected:
        asker.world.crash(number)
    for number in expected:
        asker.world.restart(number)
    asker.rest()
    assert asker.seats() == expected
    for group, nodes in layout.groups.items():
        leader = asker.world.leader(GroupId(group))
        assert leader is not None
        assert leader.number in nodes


def test_a_group_is_started_again_on_the_engine_that_it_was_founded_on() -> None:
    layout = replace(TOGETHER, engines={8: EngineName.MULTIPAXOS})
    asker = Asker(layout)
    asker.found()
    for _ in range(2):
        for process in asker.world.processes.values():
            on = {group: type(seat.replica.consensus) for group, seat in process.seats.items()}
            assert on == {CONTROL: Raft, 7: Raft, 8: MultiPaxos, 9: Raft}
            process.crash(power=True)
        for number in asker.world.processes:
            asker.world.restart(number)
        asker.rest()


def test_a_node_that_was_away_learns_of_the_groups_later() -> None:
    asker = Asker(APART)
    asker.world.crash(4)
    asker.found()
    assert asker.seats()[4] == set()
    asker.world.restart(4)
    asker.rest()
    assert asker.seats()[4] == {7}


def test_a_seed_gives_the_same_events_again() -> None:
    hashes = set()
    for _ in range(2):
        asker = Asker(TOGETHER, seed=5)
        asker.found()
        hashes.add(asker.world.timeline.hash)
    assert len(hashes) == 1
