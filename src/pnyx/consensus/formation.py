"""How nodes that were only configured become a cluster, once and for ever.

The node with the lowest label proposes one map {label -> NodeId}. A node records at most one map,
ever, and it votes or campaigns only when *every* listed NodeId has reported the same map as
durable; otherwise formation stops and says so (nothing was acknowledged). Without this, two halves
of a cluster whose operator mixed up data directories could each elect a leader.

A node that comes to a cluster which has formed without it (its disk was wiped, or it is new)
records that cluster's map, which does not list it, and `joins`: it starts as a newcomer. Anybody
may tell it so, even a node that is not configured here: all that are may have been removed since.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from pnyx.consensus.membership import Membership
from pnyx.ids import NodeId

ASK_AGAIN_MS: Final = 1_000
"""While the cluster forms: a message was lost, or an answer had no link back yet."""


class Formed(msgspec.Struct, frozen=True, array_like=True):
    """What is recorded in the WAL: the map, and whether everyone is known to have recorded it."""

    nodes: tuple[tuple[str, NodeId], ...]
    """Sorted by label."""
    complete: bool

    def membership(self) -> Membership:
        """Return the group's first membership: everybody votes, under the label they came with."""
        return Membership(tuple(sorted(node for _, node in self.nodes)), names=self.nodes)


class Propose(msgspec.Struct, frozen=True, array_like=True, tag="formation_propose"):
    """The lowest label's map; whoever has recorded none records it."""

    nodes: tuple[tuple[str, NodeId], ...]


class Report(msgspec.Struct, frozen=True, array_like=True, tag="formation_report"):
    """The map that the sender holds *durable*; `complete` if it knows that all do.

    Without nodes: it holds none. Nothing is proposed before everybody has said so, or a node whose
    disk was wiped could propose a second map to a cluster that has one.
    """

    nodes: tuple[tuple[str, NodeId], ...]
    complete: bool


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="formation_ask"):
    """Tell me what you hold; sent to whoever has not reported yet."""


FormationMessage: TypeAlias = Propose | Report | Ask


@dataclass(slots=True)
class Formation:
    """One node's part. `record` and `send` are taken by the owner after each call."""

    label: str
    me: NodeId
    labels: tuple[str, ...]
    """All configured labels, sorted."""
    recorded: Formed | None = None
    """What is durable here."""
    heard: dict[str, NodeId] = field(default_factory=dict)
    """Who answered at each configured label."""
    reported: set[NodeId] = field(default_factory=set)
    blank: set[NodeId] = field(default_factory=set)
    """Who said that it holds no map."""
    record: Formed | None = None
    """To be made durable; then call `recorded_durably`."""
    send: list[tuple[NodeId, FormationMessage]] = field(default_factory=list)
    stopped: str = ""
    """Why formation can never finish, or empty."""

    def __post_init__(self) -> None:
        """Count ourselves."""
        assert self.label in self.labels, "a node is one of the configured ones"
        self.heard[self.label] = self.me
        if self.recorded is not None:
            if not self.recorded.complete:
                self._check_own(self.recorded.nodes)
            self.reported.add(self.me)
        self._advance()

    @property
    def complete(self) -> bool:
        """Is the cluster formed, so that this node may start its replica?"""
        return self.recorded is not None and self.recorded.complete and not self.stopped

    @property
    def joins(self) -> bool:
        """Was it formed without this node, which has to ask for its place?"""
        if self.recorded is None or not self.complete:
            return False
        return dict(self.recorded.nodes).get(self.label) != self.me

    def connected(self, label: str, node: NodeId) -> None:
        """A link to `label` is up and `node` answered there.

        Who is not configured has no part in this formation, but may know its end.
        """
        if label in self.labels:
            self.heard[label] = node
            if self.recorded is not None and not self.recorded.complete:
                self._check_peer(label, node, self.recorded.nodes)
        if not self.complete:
            self.send.append((node, Ask()))
        self._advance()

    def ask_again(self, linked: Iterable[NodeId]) -> None:
        """Ask everybody who is linked; wanted each `ASK_AGAIN_MS` until it is `complete`."""
        self.send.extend((node, Ask()) for node in linked)

    def step(self, label: str, sender: NodeId, message: FormationMessage) -> None:
        """Take in a message of a node that is linked under `label`."""
        match message:
            case Ask():
                held = self.recorded or Formed((), complete=False)
                self.send.append((sender, Report(held.nodes, held.complete)))
            case Propose(nodes) if label in self.labels:
                self._on_propose(sender, nodes)
            case Report(nodes, complete) if complete or label in self.labels:
                self._on_report(sender, nodes, complete=complete)
            case _:
                # A cluster that is forming with a node that this one does not list, or without it.
                pass
        self._advance()

    def recorded_durably(self, formed: Formed) -> None:
        """`formed` is durable: tell everybody."""
        self.recorded = formed
        self.record = None
        self.reported.add(self.me)
        for _, node in formed.nodes:
            if node != self.me:
                self.send.append((node, Report(formed.nodes, formed.complete)))
        self._advance()

    def _on_propose(self, sender: NodeId, nodes: tuple[tuple[str, NodeId], ...]) -> None:
        held = self.recorded or self.record
        if held is None:
            self._check_own(nodes)
            if tuple(label for label, _ in nodes) != self.labels:
                self._stop(f"{sender:x} proposes nodes {_labels(nodes)}, this node knows others")
            if not self.stopped:
                self.record = Formed(nodes, complete=False)
        elif held.nodes != nodes and not self.complete:
            self._stop(f"{sender:x} proposes another map than the one recorded here")
        elif self.recorded is not None:
            # A formed cluster is not stopped by a stranger's proposal: it tells the stranger.
            self.send.append((sender, Report(self.recorded.nodes, self.recorded.complete)))

    def _on_report(
        self, sender: NodeId, nodes: tuple[tuple[str, NodeId], ...], *, complete: bool
    ) -> None:
        held = self.recorded or self.record
        if not nodes:
            self.blank.add(sender)
            return
        if held is None and complete:
            self._on_formed(nodes)
            return
        if held is None:
            # The proposer may be gone by now: a report carries the same map. Of a map without this
            # node the end is waited for.
            if self.label in dict(nodes):
                self._on_propose(sender, nodes)
            held = self.record
        if held is None or self.complete:
            return
        if held.nodes != nodes:
            self._stop(f"{sender:x} has recorded another map than this node")
            return
        self.reported.add(sender)
        if complete:
            self.reported.update(node for _, node in nodes)

    def _on_formed(self, nodes: tuple[tuple[str, NodeId], ...]) -> None:
        if any(node == self.me for _, node in nodes):
            # Everybody listed has recorded the map, so this node has, and does not remember.
            self._stop(
                f"the cluster was formed with this node ({self.label} = {self.me:x}), which has "
                "no record of it: its log was lost"
            )
        elif self.record is None:
            self.record = Formed(nodes, complete=True)

    def _advance(self) -> None:
        if self.stopped or self.record is not None:
            return
        if self.recorded is None:
            others = {node for node in self.heard.values() if node != self.me}
            everyone = len(self.heard) == len(self.labels) and others <= self.blank
            if self.label == self.labels[0] and everyone:
                nodes = tuple(sorted(self.heard.items()))
                self.record = Formed(nodes, complete=False)
                self.send.extend((node, Propose(nodes)) for _, node in nodes if node != self.me)
            return
        listed = {node for _, node in self.recorded.nodes}
        if not self.recorded.complete and self.me in self.reported and listed <= self.reported:
            self.record = Formed(self.recorded.nodes, complete=True)

    def _check_own(self, nodes: tuple[tuple[str, NodeId], ...]) -> None:
        if dict(nodes).get(self.label) != self.me:
            self._stop(
                f"the recorded map does not list this node ({self.label} = {self.me:x}); "
                "its data directory was replaced while the cluster formed"
            )

    def _check_peer(self, label: str, node: NodeId, nodes: tuple[tuple[str, NodeId], ...]) -> None:
        listed: Mapping[str, NodeId] = dict(nodes)
        if listed.get(label) != node:
            self._stop(
                f"{label} answered as {node:x}, the recorded map lists {listed.get(label, 0):x}; "
                "its data directory was replaced while the cluster formed"
            )

    def _stop(self, why: str) -> None:
        self.stopped = self.stopped or why


def _labels(nodes: tuple[tuple[str, NodeId], ...]) -> str:
    return ",".join(label for label, _ in nodes)
