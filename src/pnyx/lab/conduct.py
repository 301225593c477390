"""How members behave towards each other: who may take office, stand, or think again of a peer."""

from collections.abc import Iterable
from typing import Any, Final

from pnyx.consensus.member.log import Log
from pnyx.consensus.member.messages import TimeoutNow
from pnyx.consensus.member.progress import Progress
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import HeartbeatReply, PreVote, PreVoteReply, RequestVoteReply
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Mark, Role
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.invariants.facts import is_quorum, raft_of
from pnyx.lab.process import Process
from pnyx.lab.seat import Seat
from pnyx.lab.watch import Violation, Watch
from pnyx.replica.effects import Outbound
from pnyx.storage.wal import GroupWrite

ELECTED_BY_QUORUM: Final = "elected_by_quorum"
LOYAL_NODES_NEVER_STAND: Final = "loyal_nodes_never_stand"
MATCH_NEVER_FALLS: Final = "match_never_falls"
LEADER_IS_VOTER: Final = "leader_is_voter"
ONE_CHANGE_AT_A_TIME: Final = "one_change_at_a_time"
ANSWERS_ARE_SIGNS_OF_LIFE: Final = "answers_are_signs_of_life"
HEARTBEATS_WAIT_FOR_TERMS_ONLY: Final = "heartbeats_wait_for_terms_only"
LEADER_HAS_A_DISK: Final = "leader_has_a_disk"
LEADER_HAS_A_QUORUM: Final = "leader_has_a_quorum"
PRE_VOTE_NEEDS_THE_LOG: Final = "pre_vote_needs_the_log"
OWN_COMMIT_BEFORE_CHANGE: Final = "own_commit_before_change"
REMOVED_LEADER_LEAVES: Final = "removed_leader_leaves"
TIMERS_MOVE_FOR_A_REASON: Final = "timers_move_for_a_reason"
SNAPSHOT_KEEPS_WHAT_AGREES: Final = "snapshot_keeps_what_agrees"

_TELLING: Final = frozenset({RequestVoteReply, TimeoutNow, PreVote, PreVoteReply})
"""Messages that something is remembered of."""
_NOTHING_KNOWN: Final = (None, Index(0), 0)
"""Of a peer."""


class Conduct(Watch):
    """Judges what a member does by what it was told."""

    def __init__(self) -> None:
        self._votes: dict[tuple[NodeId, Term], set[NodeId]] = {}
        """By candidate and term, who has sent it its vote."""
        self._handed: set[tuple[NodeId, Term]] = set()
        self._asked: dict[tuple[NodeId, Term], tuple[int, Mark]] = {}
        """By asker and campaign: when first (microseconds), and the best log it told of."""
        self._logs: dict[int, tuple[Mark, int]] = {}
        """By member, where its log ends, and since when."""
        self._rafts: dict[int, RaftState] = {}
        """By member, of its newest life."""
        self._seen: dict[int, tuple[Role, Term]] = {}
        self._peers: dict[int, dict[NodeId, tuple[Progress, Index, int]]] = {}
        """By leader, what it believed of each peer: its match index, the round it answered."""
        self._grounds: dict[int, dict[int, None]] = {}
        """By member, its writes on their way that carry a term, a vote or a new beginning."""
        self._heard: dict[int, tuple[Membership, int]] = {}
        """By leader, until when it needs to hear nobody to have a quorum of that membership."""
        self._change: dict[int, tuple[Index, int, bool]] = {}
        """By leader: where its newest membership stands, since when, and whether it is joint."""
        self._removed: dict[int, int] = {}
        """By leader that is no voter any more: since when, by its clock."""
        self._timers: dict[int, tuple[tuple[Any, ...], int]] = {}
        """By member, everything that may move the time at which it would stand, and that time."""
        self._held: dict[int, Log] = {}
        """By member, its log: another object once a snapshot has replaced it."""

    def started(self, seat: Seat) -> None:
        """Look at the new life from its beginning."""
        self._rafts[seat.number] = raft_of(seat.replica)
        self._seen[seat.number] = (Role.FOLLOWER, Term(0))
        self._peers[seat.number] = {}
        self._grounds[seat.number] = {}
        self._heard.pop(seat.number, None)
        self._removed.pop(seat.number, None)
        self._timers.pop(seat.number, None)
        self._held.pop(seat.number, None)

    def asked(self, process: Process, asked: GroupWrite) -> None:
        """Remember what replies may have to wait for."""
        write = asked.write
        if write.hard_state is not None or write.restart is not None:
            self._grounds.setdefault(process.number, {})[write.write_id] = None

    def sending(self, seat: Seat, outbound: Outbound) -> None:
        """Remember votes and hand-overs."""
        message = outbound.message
        if type(message) not in _TELLING:
            return
        if isinstance(message, RequestVoteReply) and message.granted:
            self._votes.setdefault((outbound.to, message.term), set()).add(seat.node)
        elif isinstance(message, TimeoutNow):
            self._handed.add((outbound.to, Term(message.term + 1)))
        elif isinstance(message, PreVote):
            self._remember_question(seat, message)
        elif isinstance(message, PreVoteReply) and message.granted:
            self._check_pre_vote(seat, outbound.to, message)

    def touched(self, seat: Seat) -> None:
        """Judge what the event changed.

        Raises:
            Violation: a leader without votes, a candidate that hears its leader, a lost match.
        """
        number = seat.number
        raft = self._rafts.get(number)
        if raft is None:
            return
        log, role = raft.log, raft.role
        held = self._logs.get(number)
        if held is None or held[0].index != log.last_index or held[0].term != log.last_term:
            now_us = seat.process.world.timeline.now_us
            self._logs[number] = (Mark(log.last_index, log.last_term), now_us)
        before = self._seen.get(number, (Role.FOLLOWER, Term(0)))
        if role is not before[0] or raft.term != before[1]:
            self._seen[number] = (role, raft.term)
            self._peers[number] = {}
            self._heard.pop(number, None)
            if role is Role.LEADER:
                self._check_election(seat, raft)
            if before[0] is Role.FOLLOWER and role is not Role.FOLLOWER:
                self._check_loyalty(seat, raft)
        if role is Role.LEADER:
            self._check_peers(seat, raft)
            self._check_change(seat, raft)
            self._check_office(seat, raft)
            self._check_removal(seat, raft)
        else:
            self._check_timer(seat, raft)
            self._check_snapshot(seat, raft)
        delayed = seat.delayed
        if delayed:
            self._check_waiting(seat, delayed)

    def _check_waiting(self, seat: Seat, delayed: Iterable[tuple[int, Outbound]]) -> None:
        for write_id, outbound in delayed:
            is_reply = isinstance(outbound.message, HeartbeatReply)
            if is_reply and write_id not in self._grounds[seat.number]:
                raise Violation(
                    HEARTBEATS_WAIT_FOR_TERMS_ONLY,
                    f"{seat.label} lets the answer to a heartbeat wait for write {write_id}, "
                    "which carries entries and neither term nor vote",
                )

    def _remember_question(self, seat: Seat, message: PreVote) -> None:
        key = (seat.node, message.campaign_term)
        asked_us, best = self._asked.get(key, (seat.process.world.timeline.now_us, Mark()))
        told = Mark(message.last_index, message.last_term)
        self._asked[key] = (asked_us, max(best, told, key=_by_term))

    def _check_pre_vote(self, seat: Seat, to: NodeId, message: PreVoteReply) -> None:
        asked = self._asked.get((to, message.campaign_term))
        held = self._logs.get(seat.number)
        # A log that grew meanwhile is no reason: the answer may have waited for the disk.
        if asked is None or held is None or held[1] >= asked[0]:
            return
        if _by_term(asked[1]) < _by_term(held[0]):
            raise Violation(
                PRE_VOTE_NEEDS_THE_LOG,
                f"{seat.label} would vote for {to:x}, whose log ends at {asked[1].index} of "
                f"term {asked[1].term}; its own ends at {held[0].index} of term {held[0].term}",
            )

    def _check_election(self, seat: Seat, raft: RaftState) -> None:
        votes = self._votes.get((seat.node, raft.term), set()) | {seat.node}
        if not is_quorum(votes, raft.log.membership):
            raise Violation(
                ELECTED_BY_QUORUM,
                f"{seat.label} leads in term {raft.term} by the votes of {len(votes)} nodes, "
                f"itself included; its voters are {len(raft.log.membership.voters)}",
            )
        in_force = raft.log.memberships_from(raft.commit_index)
        if not any(membership.is_voter(seat.node) for membership in in_force):
            raise Violation(
                LEADER_IS_VOTER,
                f"{seat.label} was elected in term {raft.term} and is a voter of no membership "
                "that may be in force",
            )
        self._change[seat.number] = _newest_membership(raft)

    def _check_change(self, seat: Seat, raft: RaftState) -> None:
        before, _, was_joint = self._change[seat.number]
        after = raft.log.membership_index
        if after <= max(before, raft.log.compacted.index):
            return
        self._change[seat.number] = _newest_membership(raft)
        if raft.commit_index < before:
            raise Violation(
                ONE_CHANGE_AT_A_TIME,
                f"{seat.label} changes its members at entry {after}; the change at {before} is "
                "not committed",
            )
        # A joint membership that is committed is left by whoever leads, at any time.
        if raft.commit_index < raft.term_start and not was_joint:
            raise Violation(
                OWN_COMMIT_BEFORE_CHANGE,
                f"{seat.label} changes its members at entry {after}; no entry of its term "
                f"{raft.term} is committed",
            )

    def _check_loyalty(self, seat: Seat, raft: RaftState) -> None:
        if (seat.node, raft.term) in self._handed or not raft.heard_ms:
            return
        heard_ms = raft.now_ms - raft.heard_ms
        if heard_ms < raft.settings.election_ms_min:
            raise Violation(
                LOYAL_NODES_NEVER_STAND,
                f"{seat.label} stands in term {raft.term}, {heard_ms} ms after it heard its "
                f"leader; it should be loyal for {raft.settings.election_ms_min} ms",
            )

    def _check_peers(self, seat: Seat, raft: RaftState) -> None:
        peers = self._peers[seat.number]
        for peer, progress in raft.peers.items():
            match, answered = progress.match, progress.acked_round
            known, match_before, answered_before = peers.get(peer, _NOTHING_KNOWN)
            if known is progress and match == match_before and answered == answered_before:
                continue
            if known is progress and match < match_before:
                raise Violation(
                    MATCH_NEVER_FALLS,
                    f"{seat.label} leads in term {raft.term} and takes {peer:x}'s match index "
                    f"back from {match_before} to {match}",
                )
            if answered > answered_before and progress.active_ms < raft.now_ms:
                raise Violation(
                    ANSWERS_ARE_SIGNS_OF_LIFE,
                    f"{seat.label} leads in term {raft.term} and has an answer of {peer:x}, but "
                    f"believes to have heard nothing of it since {progress.active_ms} ms",
                )
            peers[peer] = (progress, match, answered)

    def _check_office(self, seat: Seat, raft: RaftState) -> None:
        """A leader looks at its disk and its quorum with each heartbeat."""
        settings = raft.settings
        most_ms = settings.election_ms_max + 2 * settings.heartbeat_ms
        waited_ms = raft.writes.stalled_ms(raft.now_ms)
        if waited_ms > raft.disk_patience_ms + 2 * settings.heartbeat_ms:
            raise Violation(
                LEADER_HAS_A_DISK,
                f"{seat.label} leads in term {raft.term}, and its disk has not finished a write "
                f"for {waited_ms} ms",
            )
        membership, until_ms = self._heard.get(seat.number, (None, 0))
        if membership is raft.log.membership and raft.now_ms <= until_ms:
            return
        heard = {
            peer: progress.active_ms
            for peer, progress in raft.peers.items()
            if raft.now_ms - progress.active_ms <= most_ms
        }
        if is_quorum({*heard, seat.node}, raft.log.membership):
            since_ms = min(heard.values(), default=raft.now_ms)
            self._heard[seat.number] = (raft.log.membership, since_ms + most_ms)
            return
        # Of a quorum that was just made another one it will hear, or notice, within a heartbeat.
        is_old = raft.now_ms - self._change[seat.number][1] > 2 * settings.heartbeat_ms
        if is_old:
            raise Violation(
                LEADER_HAS_A_QUORUM,
                f"{seat.label} leads in term {raft.term}, and has heard of no quorum for more "
                f"than {most_ms} ms",
            )

    def _check_removal(self, seat: Seat, raft: RaftState) -> None:
        """Who is removed hands over at once, and leaves when that takes too long (§4.2.2)."""
        log = raft.log
        if log.membership.is_voter(raft.me) or raft.commit_index < log.membership_index:
            if self._removed:
                self._removed.pop(seat.number, None)
            return
        settings = raft.settings
        most_ms = settings.election_ms_max + 2 * settings.heartbeat_ms
        since_ms = self._removed.setdefault(seat.number, raft.now_ms)
        if raft.now_ms - since_ms > most_ms:
            raise Violation(
                REMOVED_LEADER_LEAVES,
                f"{seat.label} leads in term {raft.term}, and has been no voter of the "
                f"committed membership for {raft.now_ms - since_ms} ms",
            )

    def _check_timer(self, seat: Seat, raft: RaftState) -> None:
        """An election waits for a leader that is heard or a vote that is given, nothing else."""
        reasons = (raft.role, raft.term, raft.voted_for, raft.heard_ms, raft.election_ms)
        deadline_ms = raft.election_deadline_ms
        reasons_before, deadline_ms_before = self._timers.get(seat.number, ((), 0))
        self._timers[seat.number] = (reasons, deadline_ms)
        if reasons_before != reasons or deadline_ms_before == deadline_ms:
            return
        # Two messages of a leader may arrive within a millisecond; a due timer is drawn anew.
        if raft.heard_ms < raft.now_ms < deadline_ms_before:
            raise Violation(
                TIMERS_MOVE_FOR_A_REASON,
                f"{seat.label} put its election off by {deadline_ms - deadline_ms_before} ms, "
                f"and has neither heard a leader nor given its vote in term {raft.term}",
            )

    def _check_snapshot(self, seat: Seat, raft: RaftState) -> None:
        """Entries behind a snapshot's mark stay where the log agrees with it (Raft Fig. 13)."""
        before, after = self._held.get(seat.number), raft.log
        if before is after:
            return
        self._held[seat.number] = after
        if before is None:
            return
        mark = after.compacted
        if before.last_index > mark.index and before.term_at(mark.index) == mark.term:
            raise Violation(
                SNAPSHOT_KEEPS_WHAT_AGREES,
                f"{seat.label} took in a snapshot at {mark.index}, where its log agrees, and "
                f"dropped the entries up to {before.last_index} behind it",
            )


def _newest_membership(raft: RaftState) -> tuple[Index, int, bool]:
    return raft.log.membership_index, raft.now_ms, bool(raft.log.membership.outgoing)


def _by_term(mark: Mark) -> tuple[Term, Index]:
    return mark.term, mark.index
