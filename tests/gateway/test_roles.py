"""Who is whose replica when processes lead some groups and follow others."""

from pnyx.gateway.roles import masters
from pnyx.ids import SLOT_COUNT, GroupId, NodeId, Term
from pnyx.node.status import GroupStatus, Member, Topology

NODES = tuple(map(NodeId, (1, 2, 3, 4)))


def topology(owners: tuple[int, ...], **leaders: int | None) -> Topology:
    """Return groups ``g1=leader``, each on the first three nodes."""
    return Topology(
        me=NODES[0],
        members=tuple(Member(node, f"n{node}", "h", 1, 2, 3, 4, reachable=True) for node in NODES),
        groups=tuple(
            GroupStatus(
                GroupId(int(name[1:])),
                None if leader is None else NodeId(leader),
                Term(1),
                quorum=True,
                voters=NODES[:3],
            )
            for name, leader in leaders.items()
        ),
        owners=tuple(map(GroupId, owners)),
    )


def roles(seen: Topology) -> dict[int, tuple[list[int], tuple[tuple[int, int], ...]]]:
    """Return by master its replicas and its slots."""
    return {
        master.member.node: ([one.node for one in master.replicas], master.slots)
        for master in masters(seen)
    }


def test_who_leads_one_group_and_follows_another_is_only_a_master() -> None:
    seen = roles(topology((1, 1, 2, 2), g1=1, g2=2))
    assert seen == {1: ([3], ((0, 8191),)), 2: ([], ((8192, 16383),))}


def test_a_node_outside_of_all_groups_is_nobodys_replica() -> None:
    seen = roles(topology((1,), g1=3))
    assert seen == {3: ([1, 2], ((0, SLOT_COUNT - 1),))}


def test_a_leader_of_several_groups_has_the_slots_of_all_and_neighbours_are_one_run() -> None:
    seen = roles(topology((1, 2, 3, 1), g1=1, g2=2, g3=1))
    assert seen[1][1] == ((0, 4095), (8192, 16383))
    assert seen[2][1] == ((4096, 8191),)


def test_a_leader_of_a_group_without_shards_is_no_master() -> None:
    assert list(roles(topology((1, 1), g1=1, g2=2))) == [1]


def test_shards_of_nobody_and_of_groups_without_a_leader_are_nobodys_slots() -> None:
    seen = roles(topology((0, 1, 2, 2), g1=1, g2=None))
    assert seen == {1: ([2, 3], ((4096, 8191),))}
