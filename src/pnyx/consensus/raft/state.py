"""Everything one Raft member knows: data, and the three small acts every role shares.

The rules are functions of this state: roles, terms, election, follower, leader. Only raft.py, the
door, is called from outside.
"""

from dataclasses import dataclass, field

from pnyx.consensus.raft.leading import Transfer
from pnyx.consensus.raft.log import Log
from pnyx.consensus.raft.messages import RaftMessage
from pnyx.consensus.raft.progress import Progress
from pnyx.consensus.raft.reads import Reads
from pnyx.consensus.raft.settings import RaftSettings
from pnyx.consensus.raft.writes import Writes
from pnyx.consensus.ready import Delayed, Envelope, Role
from pnyx.ids import Index, NodeId, Term
from pnyx.prng import Prng


@dataclass(slots=True)
class RaftState:
    """One member of one group.

    Invariant: compacted <= given_index <= commit_index <= last_index, and given_index is durable.
    """

    me: NodeId
    settings: RaftSettings
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
    heard_ms: int = 0
    """When the leader was last heard; means nothing while there is none."""
    acknowledged: Index | None = None
    """What to tell the leader: the logs agree up to here. The newest says all older ones."""
    votes: dict[NodeId, bool] = field(default_factory=dict)
    ask_again_ms: int = 0
    """When a candidate repeats its request to whoever has not answered."""
    handed_over: bool = False
    """The election was asked for by the leader itself."""

    # Of leaders.
    peers: dict[NodeId, Progress] = field(default_factory=dict)
    """In ascending order of id, so that messages leave in the same order in every run. Members,
    and for a while who was removed: told what is committed, never counted."""
    term_start: Index = Index(0)
    """The empty entry this leader began its term with."""
    uncommitted_bytes: int = 0
    heartbeat_deadline_ms: int = 0
    heartbeat_due: bool = False
    notice_due_ms: int = 0
    """When peers are told what is committed, if no append has told them by then."""
    has_notice: bool = False
    """Is a peer to be told then?"""
    transfer: Transfer | None = None
    farewell_ms: int = 0
    """When peers that are members no more are forgotten; 0 while there are none."""

    # To be carried out by the owner.
    send: list[Envelope] = field(default_factory=list)
    delayed: list[Delayed] = field(default_factory=list)
    snapshots: list[NodeId] = field(default_factory=list)

    def post(self, to: NodeId, message: RaftMessage) -> None:
        """Send what promises nothing that is not durable already."""
        self.send.append(Envelope(to, message))

    def promise(self, write_id: int, to: NodeId, message: RaftMessage) -> None:
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
        """Has our disk kept a write for longer than any election timeout?"""
        return self.writes.stalled_ms(self.now_ms) > self.settings.election_ms_max

    def may_stand(self) -> bool:
        """Is this node a voter of the newest membership, or of one that may still be in force?

        Who is being removed stands until its removal is committed: its log may be the only one
        that can win (dissertation §4.2.2).
        """
        in_force = self.log.memberships_from(self.commit_index)
        return any(membership.is_voter(self.me) for membership in in_force)
