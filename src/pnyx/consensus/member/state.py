"""What one member knows, whatever engine it runs: data, and the small acts every role shares.

Each engine adds what its own rules need. Everybody changes this; only the door is called from
outside.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from pnyx.consensus.member.log import Log
from pnyx.consensus.member.progress import Progress
from pnyx.consensus.member.reads import Reads
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.thrift import Thrift
from pnyx.consensus.member.writes import Writes
from pnyx.consensus.ready import Delayed, Envelope, Role
from pnyx.ids import Index, NodeId, Term
from pnyx.prng import Prng

SLOWDOWN_MAX: Final = 4
"""So many times as long as the one before a write may take: one that finds another under way, of
any group, takes up to twice as long, and no two take the same time."""
DISK_PATIENCE_MAX: Final = 5
"""Election timeouts, the longest one each, that even a slow disk may take for a write."""


@dataclass(slots=True)
class Transfer:
    """Leadership on its way to another voter; proposals are refused meanwhile."""

    to: NodeId
    deadline_ms: int
    """Then it is given up, and this node leads on."""
    told: bool = False
    """`TimeoutNow` was sent."""


@dataclass(slots=True)
class MemberState:
    """One member of one group.

    Invariant: compacted <= given_index <= commit_index <= last_index, and given_index is durable.
    """

    me: NodeId
    settings: MemberSettings
    prng: Prng
    now_ms: int
    log: Log
    writes: Writes
    reads: Reads
    term: Term
    voted_for: NodeId | None
    commit_index: Index
    given_index: Index
    """The last entry handed out to be applied."""
    role: Role = Role.FOLLOWER
    leader: NodeId | None = None

    # Of followers and candidates.
    election_ms: int = 0
    """The election timeout, drawn anew for each election."""
    election_deadline_ms: int = 0
    failures: int = 0
    """Candidacies in a row that came to nothing, up to the bound of the engine."""
    heard_ms: int = 0
    """When the leader was last heard; means nothing while there is none."""
    acknowledged: Index | None = None
    """What to tell the leader: our log is its own up to here. The newest says all older ones."""
    votes: dict[NodeId, bool] = field(default_factory=dict)
    """What a candidate was answered; its own vote counts when it is durable."""
    ask_again_ms: int = 0
    """When a candidate repeats its request to whoever has not answered."""

    # Of leaders.
    peers: dict[NodeId, Progress] = field(default_factory=dict)
    """In ascending order of id, so that messages leave in the same order in every run. Members,
    and for a while who was removed: told what is committed, never counted."""
    term_start: Index = Index(0)
    """While less is committed, this leader does not know what was committed before it."""
    uncommitted_bytes: int = 0
    notice_due_ms: int = 0
    """When peers are told what is committed, if no entries have told them by then."""
    has_notice: bool = False
    """Is a peer to be told then?"""
    thrift: Thrift = field(default_factory=Thrift)
    transfer: Transfer | None = None
    farewell_ms: int = 0
    """When peers that are members no more are forgotten; 0 while there are none."""

    # To be carried out by the owner.
    send: list[Envelope] = field(default_factory=list)
    delayed: list[Delayed] = field(default_factory=list)
    snapshots: list[NodeId] = field(default_factory=list)

    def post(self, to: NodeId, message: Any) -> None:
        """Send what promises nothing that is not durable already."""
        self.send.append(Envelope(to, message))

    def promise(self, write_id: int, to: NodeId, message: Any) -> None:
        """Send what must not leave before `write_id` is durable."""
        if write_id <= self.writes.durable_id:
            self.send.append(Envelope(to, message))
        else:
            self.delayed.append(Delayed(write_id, Envelope(to, message)))

    def commit_to(self, index: Index) -> None:
        """Everything up to `index` is committed; the commit index never falls."""
        if index <= self.commit_index:
            return
        assert index <= self.log.last_index, "what is committed here is held here"
        if self.role is Role.LEADER:
            self.uncommitted_bytes -= self.log.bytes_between(self.commit_index, index)
        self.commit_index = index

    def is_stalled(self) -> bool:
        """Does our disk hang?"""
        writes = self.writes
        return bool(writes.outstanding) and writes.stalled_ms(self.now_ms) > self.disk_patience_ms

    @property
    def disk_patience_ms(self) -> int:
        """How long a write may take: longer than any election timeout, and than the one before.

        A disk that is slow with each write does not hang. Where all are, as on a machine that they
        share, whoever led next would be no better off.
        """
        least_ms = self.settings.election_ms_max
        return min(max(SLOWDOWN_MAX * self.writes.took_ms, least_ms), DISK_PATIENCE_MAX * least_ms)

    def may_stand(self) -> bool:
        """Is this node a voter of the newest membership, or of one that may still be in force?

        Who is being removed stands until its removal is committed: its log may be the only one
        that can win (dissertation §4.2.2).
        """
        in_force = self.log.memberships_from(self.commit_index)
        return any(membership.is_voter(self.me) for membership in in_force)

    def voters(self) -> list[NodeId]:
        """Return the other voters of the newest membership, in ascending order."""
        membership = self.log.membership
        return sorted({*membership.voters, *membership.outgoing} - {self.me})

    def take(self, role: Role) -> None:
        """Take another role, with no leader known, and drop what belonged to the one before.

        A read never outlives the role it was asked in.
        """
        was_leader = self.role is Role.LEADER
        self.role = role
        self.leader = None
        self.votes = {}
        self.acknowledged = None
        self.reads.refuse_all()
        if was_leader:
            self.peers = {}
            self.thrift = Thrift()
            self.transfer = None
            self.farewell_ms = 0
            self.uncommitted_bytes = 0
            self.snapshots.clear()
            self.draw_election_timeout()

    def draw_election_timeout(self) -> None:
        """Begin to wait for a leader, for a random time, so that two rarely stand at once."""
        settings = self.settings
        spread = settings.election_ms_max - settings.election_ms_min
        self.election_ms = settings.election_ms_min + self.prng.below(spread, "election")
        self.election_deadline_ms = self.now_ms + self.election_ms
