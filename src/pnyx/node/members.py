"""Who is a member and where, as this node knows it, and what an operator may ask of a leader.

The memberships in the logs say who, the controller's first, since every node has a part in it;
addresses come from what each node announced on its links, and only before that from the settings.
So a node that was added later is listed in no file but its own.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from pnyx.consensus.formation import Formed
from pnyx.consensus.membership import Membership
from pnyx.ids import GroupId, Index, NodeId
from pnyx.node.driver import Driver
from pnyx.node.settings import Settings
from pnyx.node.status import Member
from pnyx.node.waiting import Waiting
from pnyx.replica.changes import Add, Change, Remove
from pnyx.replica.founding import membership_of as founded_by
from pnyx.replica.requests import Answer, Done, Elsewhere, NotDone, Reason
from pnyx.replica.roster import CONTROL, Roster
from pnyx.transport.handshake import Announced
from pnyx.transport.peers import Peers

NOT_LINKED: Final = "not_linked"
"""No node of that label has a link to the leader: it was not started, or cannot reach it."""
BELOW_QUORUM: Final = "below_quorum"
"""Without that voter, those that can be reached would be no majority."""
NO_GROUP: Final = "no_group"
"""No such group is known here."""
NO_SUCCESSOR: Final = "no_successor"
"""There is no other voter that could lead."""


class Verb(Enum):
    """What may be asked."""

    ADD = "add"
    """Let the linked node of that label in and make it a voter."""
    REMOVE = "remove"
    """Remove who holds the label, or the member whose NodeId in hexadecimal it is, for ever."""
    LEAD = "lead"
    """Start to hand leadership to the label, or, without one, to the best follower."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator asks of a group's leader."""

    verb: Verb
    label: str = ""
    group: GroupId = CONTROL


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it."""

    outcome: str
    """done, elsewhere, not_done or unknown, as of any request; of LEAD, done means started."""
    reason: str = ""
    """Of not_done: a `Reason` of the replica, or one of the names above."""
    leader: NodeId | None = None
    """Of elsewhere: who leads."""


def configured(
    settings: Settings, me: NodeId, peers: Peers, formed: Formed | None
) -> tuple[Member, ...]:
    """Return the nodes of the settings whose NodeId is known: there is no membership yet."""
    recorded = {} if formed is None else dict(formed.nodes)
    found = []
    for label in sorted(settings.nodes):
        node = me if label == settings.name else peers.node_of(label) or recorded.get(label)
        if node is not None:
            found.append(_member(node, label, settings, peers, me))
    return tuple(found)


def members(settings: Settings, me: NodeId, peers: Peers, roster: Roster) -> tuple[Member, ...]:
    """Return the nodes that are members of anything, sorted by label."""
    control = roster.replicas[CONTROL].consensus
    matches: dict[NodeId, Index] = {}
    first = roster.replicas.get(min(roster.atlas.placements, default=CONTROL))
    if first is not None and first.leads:
        matches = first.consensus.match_indexes() | {me: first.consensus.last_index}
    memberships = [membership_of(roster, group) for group in (CONTROL, *roster.atlas.placements)]
    voting = {node for one in memberships for node in (*one.voters, *one.outgoing)}
    learning = {node for one in memberships for node in one.learners}
    labels = {node: label for one in reversed(memberships) for label, node in one.names}
    holders = dict(control.membership.names)
    found = []
    for node in sorted((voting | learning) - set(control.membership.retired)):
        said = peers.identity(node)
        label = labels.get(node) or (said.label if said is not None else "")
        if node == me:
            label = settings.name
        found.append(
            _member(
                node,
                label,
                settings,
                peers,
                me,
                voter=node in voting,
                match=matches.get(node),
                holds=holders.get(label) == node,
            )
        )
    return tuple(sorted(found, key=lambda member: (member.label, member.node)))


def membership_of(roster: Roster, group: GroupId) -> Membership:
    """Return a group's newest membership, or, where it has no replica, the one it joined with."""
    replica = roster.replicas.get(group)
    if replica is not None:
        return replica.consensus.membership
    placement = roster.atlas.placements.get(group)
    return Membership(()) if placement is None else founded_by(placement.members)


def _member(
    node: NodeId,
    label: str,
    settings: Settings,
    peers: Peers,
    me: NodeId,
    *,
    voter: bool = True,
    match: Index | None = None,
    holds: bool = True,
) -> Member:
    said = peers.identity(node)
    listed = settings.nodes.get(label) if holds or node == me else None
    place = Announced("", 0, 0, 0, 0)
    if node != me and said is not None:
        place = said.announced
    elif listed is not None:
        place = Announced(listed.host, *listed.ports)
    return Member(
        node,
        label,
        place.host,
        place.gateway_port,
        place.cluster_port,
        place.peer_port,
        place.http_port,
        reachable=node == me or peers.reachable(node),
        voter=voter,
        match=match,
    )


async def carry_out(wish: Wish, driver: Driver, peers: Peers, me: NodeId) -> Told:
    """Ask the group's replica for it and return what came of it, after a minute or so at most."""
    roster = driver.roster
    leader = roster.leader(wish.group)
    if leader is None:
        known = wish.group == CONTROL or wish.group in roster.atlas.placements
        return Told("not_done", Reason.NO_QUORUM.value if known else NO_GROUP)
    if leader != me:
        return Told("elsewhere", leader=leader)
    membership = roster.replicas[wish.group].consensus.membership
    if wish.verb is Verb.LEAD:
        return _hand_over(wish, driver, membership, me)
    change = _change(wish, membership, peers, me)
    if isinstance(change, str):
        return Told("not_done", change)
    ticket = Waiting()
    driver.change_members(wish.group, change, ticket)
    return _told(await ticket.answer)


def _told(answer: Answer) -> Told:
    match answer:
        case Done():
            return Told("done")
        case Elsewhere(leader):
            return Told("elsewhere", leader=leader)
        case NotDone(reason):
            return Told("not_done", reason.value)
        case _:
            return Told("unknown")


def _hand_over(wish: Wish, driver: Driver, membership: Membership, me: NodeId) -> Told:
    to = dict(membership.names).get(wish.label)
    if wish.label and (to is None or to not in membership.voters):
        return Told("not_done", Reason.NOT_MEMBER.value)
    if to == me or driver.transfer_leadership(wish.group, to):
        return Told("done")
    return Told("not_done", NO_SUCCESSOR)


def _change(wish: Wish, membership: Membership, peers: Peers, me: NodeId) -> Change | str:
    held = dict(membership.names).get(wish.label)
    if wish.verb is Verb.ADD:
        if held is not None:
            return Add(wish.label, held)
        linked = [one.node for one in peers.linked if one.label == wish.label]
        # A retired one may still be there, on its way out.
        fresh = [node for node in linked if node not in membership.retired]
        chosen = (fresh or linked)[-1:]
        return Add(wish.label, chosen[0]) if chosen else NOT_LINKED
    everybody = {*membership.voters, *membership.learners}
    if held is None:
        held = next((node for node in sorted(everybody) if f"{node:x}" == wish.label), None)
    if held is None:
        return Reason.NOT_MEMBER.value
    rest = [node for node in membership.voters if node != held]
    up = sum(node == me or peers.reachable(node) for node in rest)
    # Both majorities of the joint membership must be there, or the change never ends.
    if rest and held in membership.voters and 2 * up <= len(rest):
        return BELOW_QUORUM
    return Remove(held)
