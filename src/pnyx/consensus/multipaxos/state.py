"""Everything one Multi-Paxos member knows: data, and the acts every role shares.

The rules are functions of this state: election, acceptor, leader. Only multipaxos.py, the door, is
called from outside.
"""

from dataclasses import dataclass, field

from pnyx.consensus.multipaxos.messages import MultiPaxosMessage
from pnyx.consensus.multipaxos.staging import Staging
from pnyx.consensus.multipaxos.suffix import Suffix
from pnyx.consensus.raft.leading import Transfer
from pnyx.consensus.raft.log import Log
from pnyx.consensus.raft.progress import Progress
from pnyx.consensus.raft.reads import Reads
from pnyx.consensus.raft.settings import RaftSettings
from pnyx.consensus.raft.writes import Writes
from pnyx.consensus.ready import Delayed, Entry, Envelope, Role
from pnyx.ids import Index, NodeId, Term
from pnyx.prng import Prng


@dataclass(slots=True)
class Heard:
    """What a peer said last that proves a connection both ways."""

    at_ms: int
    happy: bool


@dataclass(slots=True)
class Promised:
    """What an acceptor told with its promise."""

    accepted: Term
    last_index: Index
    commit_index: Index


@dataclass(slots=True)
class MultiPaxosState:
    """One member of one group.

    Invariants: compacted <= given_index <= commit_index <= last_index, and given_index is durable;
    the last entry's round <= accepted <= term.
    """

    me: NodeId
    settings: RaftSettings
    prng: Prng
    now_ms: int
    log: Log
    writes: Writes
    reads: Reads
    term: Term
    """The round: nothing is promised or accepted below it."""
    voted_for: NodeId | None
    """Whose ballot of that round was promised."""
    accepted: Term
    """The ballot that the whole log is accepted in."""
    commit_index: Index
    """All up to here is chosen."""
    given_index: Index
    """The last entry handed out to be applied."""
    role: Role = Role.FOLLOWER
    leader: NodeId | None = None

    # Of everybody.
    heard: dict[NodeId, Heard] = field(default_factory=dict)
    """Whom we are connected with."""
    beat_ms: int = 0
    """When the next heartbeat is due."""
    beat_due: bool = False
    """Of leaders: it leaves with the next `ready`."""
    streaming: set[NodeId] = field(default_factory=set)
    """Candidates that are being sent a snapshot: until it ends, or leader or role change here."""

    # Of followers and candidates.
    election_ms: int = 0
    """How long to wait for a leader, drawn anew for each ballot."""
    election_deadline_ms: int = 0
    heard_ms: int = 0
    """When the leader was last heard; means nothing while there is none."""
    leader_happy: bool = False
    acknowledged: Index | None = None
    """What to tell the leader: everything up to here is accepted in its ballot."""
    staging: Staging | None = None

    # Of candidates.
    votes: dict[NodeId, bool] = field(default_factory=dict)
    """Who has promised, who has refused; our own promise counts when it is durable."""
    promised: dict[NodeId, Promised] = field(default_factory=dict)
    best: Suffix | None = None
    """The highest accepted log of those who promised, if it is above our own."""
    ask_again_ms: int = 0

    # Of leaders.
    peers: dict[NodeId, Progress] = field(default_factory=dict)
    """In ascending order of id. Members, and for a while who was removed."""
    term_start: Index = Index(0)
    """Where the log adopted in phase 1 ends."""
    adopted: Term = Term(0)
    """The ballot that log had been accepted in."""
    uncommitted_bytes: int = 0
    transfer: Transfer | None = None
    farewell_ms: int = 0
    """When peers that are members no more are forgotten; 0 while there are none."""

    # To be carried out by the owner.
    send: list[Envelope] = field(default_factory=list)
    delayed: list[Delayed] = field(default_factory=list)
    snapshots: list[NodeId] = field(default_factory=list)

    def post(self, to: NodeId, message: MultiPaxosMessage) -> None:
        """Send what promises nothing that is not durable already."""
        self.send.append(Envelope(to, message))

    def promise(self, write_id: int, to: NodeId, message: MultiPaxosMessage) -> None:
        """Send what must not leave before `write_id` is durable."""
        if write_id <= self.writes.durable_id:
            self.send.append(Envelope(to, message))
        else:
            self.delayed.append(Delayed(write_id, Envelope(to, message)))

    def commit_to(self, index: Index) -> None:
        """Everything up to `index` is chosen; the commit index never falls."""
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
        """Is this node a voter of the newest membership, or of one that may still be in force?"""
        in_force = self.log.memberships_from(self.commit_index)
        return any(membership.is_voter(self.me) for membership in in_force)

    def voters(self) -> list[NodeId]:
        """Return the other voters of the newest membership, in ascending order."""
        membership = self.log.membership
        return sorted({*membership.voters, *membership.outgoing} - {self.me})

    def adopt_term(self, term: Term) -> None:
        """Go to a higher round, in which nothing was promised yet."""
        assert term > self.term, "rounds only grow"
        self.term = term
        self.voted_for = None
        self.writes.hard_state_changed = True
        self.follow()

    def follow(self) -> None:
        """Be a follower whose leader is not known; drop what belonged to the role before."""
        was_leader = self.role is Role.LEADER
        if self.role is not Role.FOLLOWER or self.leader is not None:
            self.streaming.clear()
        self.role = Role.FOLLOWER
        self.leader = None
        self.votes = {}
        self.promised = {}
        self.best = None
        self.acknowledged = None
        self.staging = None
        self.reads.refuse_all()
        if was_leader:
            self.peers = {}
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

    def graft(self, base: Index, entries: list[Entry], *, cut_rest: bool) -> bool:
        """Make the log go on after `base` as `entries` say; return whether anything was cut.

        What is there already stays, and is not written again. With `cut_rest` the log ends where
        `entries` end.
        """
        log = self.log
        last_index = Index(base + len(entries))
        held = max(base, log.compacted.index)
        fresh = entries[held - base :]
        conflict = log.first_conflict(fresh)
        # What is chosen here is in every newer log, even where `entries` do not reach so far.
        kept = max(last_index, self.commit_index)
        if conflict is None and cut_rest and log.last_index > kept:
            conflict = Index(kept + 1)
        if conflict is not None:
            assert conflict > self.commit_index, "what is chosen is never cut"
            log.cut(conflict)
            self.writes.cut(conflict)
        if log.last_index < last_index:
            log.extend(entries[log.last_index - base :])
        return conflict is not None

    def accept_in(self, term: Term) -> None:
        """The whole log is accepted in that ballot from now on."""
        self.accepted = term
        self.writes.accepted = term
