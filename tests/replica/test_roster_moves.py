"""Do the nodes of a cluster carry moves out by themselves?"""

from pnyx.ids import Epoch, GroupId, ShardId
from pnyx.machine.commands import Get, Set
from pnyx.machine.configuration import Placement
from pnyx.machine.directives import Join, Leave
from pnyx.machine.holdings import Phase
from pnyx.replica.asks import Ask
from pnyx.replica.atlas import Atlas
from pnyx.replica.effects import Effects
from pnyx.replica.limits import MigrationLimits
from pnyx.replica.migrations import Migrations
from pnyx.replica.requests import Done, Unknown
from pnyx.replica.roster import CONTROL
from replica.rosters import Nodes, member

KEYS = [b"key %d" % number for number in range(60)]


def working(count: int = 3) -> Nodes:
    """Return nodes with one group, which has all shards and some keys."""
    nodes = Nodes(count=count, controllers=3, groups=1)
    nodes.elect(1)
    nodes.advance(1_000)
    for key in KEYS:
        nodes.submit(1, 1, key, Set(key, b"of " + key))
    nodes.advance(100)
    assert {nodes.nodes[1].told(key) for key in KEYS} == {nodes.nodes[1].told(KEYS[0])}
    return nodes


def join(nodes: Nodes, group: int, *members: int) -> None:
    placement = Placement(GroupId(group), tuple(member(number) for number in members))
    nodes.submit(1, CONTROL, f"join {group}", Join((placement,), shared=True))


def check(nodes: Nodes, node: int, *groups: int) -> None:
    """These groups have all shards, nothing is elsewhere, and every key is where it belongs."""
    atlas = nodes.roster(node).atlas
    assert set(atlas.owners) == set(groups)
    assert not atlas.undecided()
    for number, one in nodes.nodes.items():
        for group, replica in one.roster.replicas.items():
            if group != CONTROL:
                for shard in range(atlas.shards):
                    held = replica.group.shard(ShardId(shard))
                    assert held is not None
                    owns = atlas.owner(ShardId(shard)) == group
                    phase = Phase.SERVING if owns else Phase.AWAY
                    assert held.phase is phase, (number, group, shard)
    for at, key in enumerate(KEYS):
        ticket = (len(nodes.nodes[node].answers), at)
        owner = atlas.owner(nodes.shard_of(key))
        nodes.submit(node, owner, ticket, Get(key))
        nodes.advance(20)
        assert nodes.nodes[node].told(ticket) == Done((b"of " + key,))


def test_a_group_joins_on_the_same_nodes_and_leaves_again() -> None:
    nodes = working()
    join(nodes, 2, 2, 3, 1)
    nodes.advance(3_000)
    check(nodes, 1, 1, 2)
    nodes.submit(1, CONTROL, "leave", Leave((GroupId(1),)))
    nodes.advance(3_000)
    check(nodes, 2, 2)


def test_a_group_on_other_nodes_gets_its_shards_over_the_network() -> None:
    nodes = working(count=6)
    join(nodes, 2, 4, 5, 6)
    nodes.advance(4_000)
    check(nodes, 4, 1, 2)
    check(nodes, 1, 1, 2)


def test_a_move_goes_on_when_the_destination_s_leader_is_cut_off() -> None:
    nodes = working(count=6)
    join(nodes, 2, 4, 5, 6)
    nodes.advance(200)
    nodes.part(4)
    nodes.advance(4_000)
    nodes.heal()
    nodes.advance(4_000)
    check(nodes, 5, 1, 2)


def test_an_answer_that_comes_when_nobody_leads_here_any_more_is_for_nobody() -> None:
    """A node met such a ticket among its clients' and stopped."""
    migrations = Migrations(Atlas(), MigrationLimits())
    ask = Ask(GroupId(1), GroupId(2), (Get(b"k"),), ShardId(0), Epoch(1))
    effects = Effects(answers=[(ask, Unknown()), ("client", Unknown())])
    migrations.sift(effects, 0)
    assert effects.answers == [("client", Unknown())]
