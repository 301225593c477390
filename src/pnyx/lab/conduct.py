"""How members behave towards each other: who may take office, stand, or think again of a peer."""

from typing import Final

from pnyx.consensus.raft.messages import RequestVoteReply, TimeoutNow
from pnyx.consensus.raft.progress import Progress
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.invariants.facts import is_quorum, raft_of
from pnyx.lab.process import Process
from pnyx.lab.watch import Violation, Watch
from pnyx.replica.effects import Outbound

ELECTED_BY_QUORUM: Final = "elected_by_quorum"
LOYAL_NODES_NEVER_STAND: Final = "loyal_nodes_never_stand"
MATCH_NEVER_FALLS: Final = "match_never_falls"
LEADER_IS_VOTER: Final = "leader_is_voter"
ONE_CHANGE_AT_A_TIME: Final = "one_change_at_a_time"
OWN_COMMIT_BEFORE_CHANGE: Final = "own_commit_before_change"


class Conduct(Watch):
    """Judges what a member does by what it was told."""

    def __init__(self) -> None:
        self._votes: dict[tuple[NodeId, Term], set[NodeId]] = {}
        """By candidate and term, who has sent it its vote."""
        self._handed: set[tuple[NodeId, Term]] = set()
        self._seen: dict[int, tuple[Role, Term]] = {}
        self._matches: dict[int, dict[NodeId, tuple[Progress, Index]]] = {}
        self._change: dict[int, Index] = {}
        """By leader, where its newest membership stands."""

    def started(self, process: Process) -> None:
        """Look at the new life from its beginning."""
        self._seen[process.number] = (Role.FOLLOWER, Term(0))
        self._matches[process.number] = {}

    def sending(self, process: Process, outbound: Outbound) -> None:
        """Remember votes and hand-overs."""
        message = outbound.message
        if isinstance(message, RequestVoteReply) and message.granted:
            self._votes.setdefault((outbound.to, message.term), set()).add(process.node)
        elif isinstance(message, TimeoutNow):
            self._handed.add((outbound.to, Term(message.term + 1)))

    def touched(self, process: Process) -> None:
        """Judge what the event changed.

        Raises:
            Violation: a leader without votes, a candidate that hears its leader, a lost match.
        """
        if process.replica is None:
            return
        raft = raft_of(process.replica)
        before = self._seen.get(process.number, (Role.FOLLOWER, Term(0)))
        after = (raft.role, raft.term)
        if after != before:
            self._seen[process.number] = after
            self._matches[process.number] = {}
            if raft.role is Role.LEADER:
                self._check_election(process, raft)
            if before[0] is Role.FOLLOWER and raft.role is not Role.FOLLOWER:
                self._check_loyalty(process, raft)
        if raft.role is Role.LEADER:
            self._check_matches(process, raft)
            self._check_change(process, raft)

    def _check_election(self, process: Process, raft: RaftState) -> None:
        votes = self._votes.get((process.node, raft.term), set()) | {process.node}
        if not is_quorum(votes, raft.log.membership):
            raise Violation(
                ELECTED_BY_QUORUM,
                f"{process.label} leads in term {raft.term} by the votes of {len(votes)} nodes, "
                f"itself included; its voters are {len(raft.log.membership.voters)}",
            )
        in_force = raft.log.memberships_from(raft.commit_index)
        if not any(membership.is_voter(process.node) for membership in in_force):
            raise Violation(
                LEADER_IS_VOTER,
                f"{process.label} was elected in term {raft.term} and is a voter of no membership "
                "that may be in force",
            )
        self._change[process.number] = raft.log.membership_index

    def _check_change(self, process: Process, raft: RaftState) -> None:
        before, after = self._change[process.number], raft.log.membership_index
        if after <= max(before, raft.log.compacted.index):
            return
        self._change[process.number] = after
        if raft.commit_index < before:
            raise Violation(
                ONE_CHANGE_AT_A_TIME,
                f"{process.label} changes its members at entry {after}; the change at {before} is "
                "not committed",
            )
        if raft.commit_index < raft.term_start:
            raise Violation(
                OWN_COMMIT_BEFORE_CHANGE,
                f"{process.label} changes its members at entry {after}; no entry of its term "
                f"{raft.term} is committed",
            )

    def _check_loyalty(self, process: Process, raft: RaftState) -> None:
        if (process.node, raft.term) in self._handed or not raft.heard_ms:
            return
        heard_ms = raft.now_ms - raft.heard_ms
        if heard_ms < raft.settings.election_ms_min:
            raise Violation(
                LOYAL_NODES_NEVER_STAND,
                f"{process.label} stands in term {raft.term}, {heard_ms} ms after it heard its "
                f"leader; it should be loyal for {raft.settings.election_ms_min} ms",
            )

    def _check_matches(self, process: Process, raft: RaftState) -> None:
        matches = self._matches[process.number]
        for peer, progress in raft.peers.items():
            known, match = matches.get(peer, (progress, Index(0)))
            if known is progress and progress.match < match:
                raise Violation(
                    MATCH_NEVER_FALLS,
                    f"{process.label} leads in term {raft.term} and takes {peer:x}'s match index "
                    f"back from {match} to {progress.match}",
                )
            if known is not progress or progress.match != match:
                matches[peer] = (progress, progress.match)
