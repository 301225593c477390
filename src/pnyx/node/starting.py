"""How a replica of a group starts on this node, and with what a new cluster begins."""

import secrets

from pnyx.consensus.engines import ENGINES, EngineName
from pnyx.consensus.formation import Formed
from pnyx.consensus.member.start import Start
from pnyx.ids import GroupId, NodeId
from pnyx.machine.configuration import Member
from pnyx.node.disk import Disk
from pnyx.node.driver import now
from pnyx.node.settings import Settings
from pnyx.prng import Prng
from pnyx.replica.founding import Founding, Missing
from pnyx.replica.replica import Replica


class Starter:
    """Makes the replicas of one life of a node."""

    def __init__(self, settings: Settings, disk: Disk, formed: Formed, boot: int) -> None:
        self._settings = settings
        self._disk = disk
        self._formed = formed
        self._boot = boot
        self.newcomer = dict(formed.nodes).get(settings.name) != disk.node
        """Was the cluster formed without this node?"""

    def start(self, group: GroupId, missing: Missing | None = None) -> Replica:
        """Return the replica of a group that is on the disk; `missing` if it was founded now."""
        settings, disk = self._settings, self._disk
        membership = disk.membership(group, self._formed)
        stored = disk.groups[group]
        moment = now()
        engine = ENGINES[EngineName(stored.group.engine or settings.consensus)]
        consensus = engine(
            Start(
                me=disk.node,
                membership=membership,
                settings=settings.raft_settings,
                prng=Prng(secrets.randbits(63)),
                now_ms=moment.mono_ms,
                boot=self._boot,
                recovered=stored.log,
                applied=stored.group.applied.index,
            )
        )
        replica = Replica(
            me=disk.node,
            boot=self._boot,
            consensus=consensus,
            group=stored.group,
            limits=settings.replica_limits,
            joins=settings.name if self.newcomer else "",
        )
        if missing is not None and missing.campaigns:
            consensus.campaign(moment.mono_ms)
        return replica

    def founding(self) -> Founding | None:
        """Return with what the controller's first leader is to begin; not for a newcomer to say."""
        settings = self._settings
        # A file that lost a name since then is of a cluster that was founded long ago.
        if self.newcomer or any(label not in settings.nodes for label, _ in self._formed.nodes):
            return None
        return Founding(
            settings.shards,
            settings.groups,
            tuple([self._member(label, node) for label, node in self._formed.nodes]),
            settings.consensus,
        )

    def first_election(self, replica: Replica) -> None:
        """Let the lowest label lead the controller of a cluster that has formed just now.

        Nobody else can have started: no need to wait for a timeout.
        """
        if not self.newcomer and self._settings.name == min(self._settings.nodes):
            replica.consensus.campaign(now().mono_ms)

    def _member(self, label: str, node: NodeId) -> Member:
        address = self._settings.nodes[label]
        return Member(label, f"{address.host}:{address.peer_port}", node)
