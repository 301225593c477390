"""Family C: who may vote, who may stand, who leads."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from typing import Any, Final

from pnyx.consensus.member.messages import CommitIndex, TimeoutNow
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.quorum import verdict
from pnyx.consensus.raft import election, follower, leader, raft as door, terms
from pnyx.consensus.raft.messages import (
    AppendEntries,
    Heartbeat,
    HeartbeatReply,
    PreVote,
    PreVoteReply,
    RaftMessage,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.raft.roles import Event, change_role
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.zoo.biases import UNHEARD_SUCCESSORS
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant


def _levelled_otherwise(passes: Any) -> Patches:
    """Let `passes(raft, message)` decide first; None leaves it to the rule."""

    def level(raft: RaftState, sender: NodeId, message: RaftMessage) -> bool:
        passed = passes(raft, message)
        return terms.level(raft, sender, message) if passed is None else bool(passed)

    return [Patch(door, "level", level)]


@mutant(
    "C1-replies-counted-not-voters",
    story="A candidate counts replies instead of voters. A vote that arrives twice, after it was "
    "asked for twice, is two votes: a leader without a majority.",
    seen="coyote #8; PySyncObj",
    caught_by=("election_safety", "leader_completeness", "elected_by_quorum"),
)
def _replies_counted_not_voters() -> Patches:
    was = door._ON[RequestVoteReply]

    def on_reply(raft: RaftState, sender: NodeId, message: RequestVoteReply) -> None:
        if raft.role is Role.CANDIDATE and message.granted and raft.votes.get(sender):
            membership = raft.log.membership
            silent = [voter for voter in membership.voters if voter not in raft.votes]
            raft.votes.update(dict.fromkeys(silent[:1], True))
        was(raft, sender, message)

    return [Patch(door._ON, RequestVoteReply, on_reply)]


@mutant(
    "C2-pre-vote-taken-for-a-vote",
    story="The answer to a pre-vote arrives when the candidate asks for votes already, and is "
    "counted as one. Nobody promised anything with it.",
    seen="canonical/raft #196; etcd's test of the pre-candidate's self-vote",
    caught_by=("election_safety", "leader_completeness", "elected_by_quorum"),
)
def _pre_vote_taken_for_a_vote() -> Patches:
    was = door._ON[PreVoteReply]

    def on_reply(raft: RaftState, sender: NodeId, message: PreVoteReply) -> None:
        if raft.role is Role.CANDIDATE:
            raft.votes.setdefault(sender, message.granted)
            election._count(raft)
        else:
            was(raft, sender, message)

    def passes(raft: RaftState, message: RaftMessage) -> bool | None:
        is_late = isinstance(message, PreVoteReply) and message.term < raft.term
        return True if is_late and raft.role is Role.CANDIDATE else None

    return [Patch(door._ON, PreVoteReply, on_reply), *_levelled_otherwise(passes)]


@mutant(
    "C3-longer-log-wins",
    story="Logs are compared by length first and term second. A long log of an old term wins over "
    "what was committed since.",
    seen="openraft a48a3282",
    caught_by=("pre_vote_needs_the_log", "leader_completeness", "committed_stays"),
)
def _longer_log_wins() -> Patches:
    def _is_up_to_date(raft: RaftState, last_term: Term, last_index: Index) -> bool:
        return (last_index, last_term) >= (raft.log.last_index, raft.log.last_term)

    return [Patch(election, "_is_up_to_date", _is_up_to_date)]


@mutant(
    "C4-lower-terms-get-no-answer",
    story="A node with a higher term drops its leader's messages without a word, and its own "
    "pre-votes are dropped by who hears that leader: it is stuck for ever.",
    seen="etcd 3c7359d, #8334, #9586; raft-rs #84, #42; tikv #3270",
    caught_by=("nodes_converge", "leader_elected", "requests_answered"),
)
def _lower_terms_get_no_answer() -> Patches:
    quiet = (AppendEntries, Heartbeat, CommitIndex, TimeoutNow, PreVote)
    return [Patch(terms._ANSWERS, kind, _no_answer) for kind in quiet] + [
        Patch(MemberState, "promise", _unless_empty(MemberState.promise))
    ]


def _no_answer(_term: Term, _message: Any) -> None:
    return None


def _unless_empty(was: Any) -> Any:
    def promise(raft: RaftState, write_id: int, to: NodeId, message: Any) -> None:
        if message is not None:
            was(raft, write_id, to, message)

    return promise


@mutant(
    "C5-pre-vote-refused-in-the-askers-term",
    story="A refused pre-vote carries the asker's term, and pre-votes do not level terms: whoever "
    "has the better log never learns the term it would have to stand in.",
    seen="etcd d4471b2; openraft d6a6d562",
    caught_by=("leader_elected", "nodes_converge", "requests_answered"),
)
def _pre_vote_refused_in_the_askers_term() -> Patches:
    def refused(_term: Term, message: Any) -> RaftMessage:
        return PreVoteReply(message.term, message.campaign_term, granted=False)

    def passes(raft: RaftState, message: RaftMessage) -> bool | None:
        higher = isinstance(message, PreVote) and message.term > raft.term
        return not terms._disturbs(raft, message) if higher else None  # type: ignore[arg-type]

    return [Patch(terms._ANSWERS, PreVote, refused), *_levelled_otherwise(passes)]


@mutant(
    "C6-stale-pre-vote-round-wins",
    story="A pre-vote round is not cancelled when a leader is heard. Its last answer makes a "
    "follower of a working leader stand, and deposes it.",
    seen="openraft 511f33c7",
    caught_by=("pre_vote", "loyal_nodes_never_stand"),
)
def _stale_pre_vote_round_wins() -> Patches:
    was = door._ON[PreVoteReply]

    def on_reply(raft: RaftState, sender: NodeId, message: PreVoteReply) -> None:
        if raft.role is not Role.FOLLOWER or not message.granted or not raft.may_stand():
            was(raft, sender, message)
            return
        raft.votes[raft.me] = raft.votes[sender] = True
        if verdict(raft.votes, raft.log.membership):
            change_role(raft, Event.ELECTION_TIMEOUT)
            election.stand(raft, Event.PRE_VOTE_WON)

    return [Patch(door._ON, PreVoteReply, on_reply)]


@mutant(
    "C7-pre-vote-ignores-the-log",
    story="A pre-vote is granted whatever the asker's log holds. A node that cannot win stands "
    "again and again, and deposes leaders with its terms.",
    seen="NuRaft #134; braft #365, #492; hashicorp/raft #605",
    caught_by=("pre_vote_needs_the_log",),
)
def _pre_vote_ignores_the_log() -> Patches:
    def on_pre_vote(raft: RaftState, sender: NodeId, message: PreVote) -> None:
        granted = message.campaign_term > raft.term
        reply = PreVoteReply(raft.term, message.campaign_term, granted)
        raft.promise(raft.writes.id_for_ground(), sender, reply)

    return [Patch(door._ON, PreVote, on_pre_vote)]


@mutant(
    "C9-learner-refuses-its-vote",
    story="A node answers a candidate by its own membership. One that does not know yet that it "
    "was promoted refuses its vote, and there may be no quorum without it.",
    seen="etcd #10998 and testdata campaign_learner_must_vote",
    caught_by=("leader_elected", "nodes_converge", "requests_answered"),
)
def _learner_refuses_its_vote() -> Patches:
    was_asked, was_pre_asked = door._ON[RequestVote], door._ON[PreVote]

    def on_request_vote(raft: RaftState, sender: NodeId, message: RequestVote) -> None:
        if raft.log.membership.is_voter(raft.me):
            was_asked(raft, sender, message)

    def on_pre_vote(raft: RaftState, sender: NodeId, message: PreVote) -> None:
        if raft.log.membership.is_voter(raft.me):
            was_pre_asked(raft, sender, message)

    return [
        Patch(door._ON, RequestVote, on_request_vote),
        Patch(door._ON, PreVote, on_pre_vote),
    ]


@mutant(
    "C10-waits-between-check-and-change",
    story="A candidate has a majority, waits until everybody has answered or its patience ends, "
    "and then takes office: in whatever term the messages have brought that came in meanwhile.",
    seen="aioraft-ng's _start_election and _append_entry",
    caught_by=(
        "elected_by_quorum",
        "election_safety",
        "leader_completeness",
        "pre_vote",
        "assertion",
    ),
)
def _waits_between_check_and_change() -> Patches:
    was_counted, was_ticked = election._count, Raft.tick
    won: dict[int, tuple[RaftState, int]] = {}

    def _count(raft: RaftState) -> None:
        membership = raft.log.membership
        is_won = raft.role is Role.CANDIDATE and verdict(raft.votes, membership)
        if is_won and not raft.votes.keys() >= {*membership.voters, *membership.outgoing}:
            won.setdefault(id(raft), (raft, raft.election_deadline_ms))
        else:
            was_counted(raft)

    def tick(door_of: Raft, now_ms: int) -> None:
        raft = door_of._at(now_ms)
        if id(raft) in won and now_ms >= won[id(raft)][1]:
            del won[id(raft)]
            if raft.role is not Role.LEADER:
                raft.role = Role.CANDIDATE
                change_role(raft, Event.VOTE_WON)
                leader.lead(raft)
        was_ticked(door_of, now_ms)

    return [Patch(election, "_count", _count), Patch(Raft, "tick", tick)]


@mutant(
    "C11-one-reply-does-not-level-terms",
    story="Every handler steps down at a higher term but one. A deposed leader takes the refusal "
    "of its heartbeat for an answer, and confirms reads with it.",
    seen="jraft's and braft's onInstallSnapshotReturned; hashicorp/raft #666",
    caught_by=("reads_are_current", "committed_on_a_durable_majority"),
    bias=UNHEARD_SUCCESSORS,
)
def _one_reply_does_not_level_terms() -> Patches:
    def passes(raft: RaftState, message: RaftMessage) -> bool | None:
        is_higher = isinstance(message, HeartbeatReply) and message.term > raft.term
        return True if is_higher else None

    return _levelled_otherwise(passes)


@mutant(
    "C12-hung-disk-keeps-its-leader",
    story="Heartbeats do not need the disk, so a leader whose disk hangs is followed for ever: it "
    "acknowledges nothing, and nobody else may lead.",
    seen="hashicorp/raft #503, #614",
    caught_by=("leader_has_a_disk", "core_serves"),
)
def _hung_disk_keeps_its_leader() -> Patches:
    def is_stalled(_raft: RaftState) -> bool:
        return False

    return [Patch(MemberState, "is_stalled", is_stalled)]


@mutant(
    "C13-leader-without-quorum-stays",
    story="Links fail in part: a leader that reaches no quorum is still heard by one node, which "
    "stays loyal, and the others have no majority without it.",
    seen="Omni-Paxos, EuroSys 2023; Cloudflare, November 2020",
    caught_by=("leader_has_a_quorum", "leader_elected"),
)
def _leader_without_quorum_stays() -> Patches:
    def quorum_heard_ms(raft: RaftState) -> int:
        return raft.now_ms

    return [Patch(leader, "quorum_heard_ms", quorum_heard_ms)]


@mutant(
    "C15-stands-without-asking",
    story="There is no pre-vote and no loyalty: a node that was cut off comes back with a term "
    "that it raised alone, and deposes a working leader.",
    seen="Raft thesis 4.2.3; etcd's testdata",
    caught_by=("pre_vote",),
)
def _stands_without_asking() -> Patches:
    was = election.campaign

    def campaign(raft: RaftState) -> None:
        if not raft.may_stand() or raft.is_stalled():
            was(raft)
            return
        change_role(raft, Event.ELECTION_TIMEOUT)
        election.stand(raft, Event.PRE_VOTE_WON)

    def _disturbs(_raft: RaftState, _message: RaftMessage) -> bool:
        return False

    return [Patch(election, "campaign", campaign), Patch(terms, "_disturbs", _disturbs)]


@mutant(
    "C16-ex-leader-kept",
    story="A follower learns its leader once and does not forget it with the term. It forwards "
    "and asks there for ever, and an ex-leader sends it back.",
    seen="a rule that many implementations state, and learn late",
    caught_by=("leader_elected", "assertion", "nodes_converge"),
)
def _ex_leader_kept() -> Patches:
    def level(raft: RaftState, sender: NodeId, message: RaftMessage) -> bool:
        known = raft.leader
        passed = terms.level(raft, sender, message)
        if raft.leader is None and known != raft.me:
            raft.leader = known
        return passed

    def _hear_leader(raft: RaftState, sender: NodeId) -> None:
        if raft.role is not Role.FOLLOWER:
            known = raft.leader
            change_role(raft, Event.LEADER_HEARD)
            raft.leader = known
        raft.leader = raft.leader or sender
        raft.heard_ms = raft.now_ms
        raft.election_deadline_ms = raft.now_ms + raft.election_ms

    return [Patch(door, "level", level), Patch(follower, "_hear_leader", _hear_leader)]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    _replies_counted_not_voters,
    _pre_vote_taken_for_a_vote,
    _longer_log_wins,
    _lower_terms_get_no_answer,
    _pre_vote_refused_in_the_askers_term,
    _stale_pre_vote_round_wins,
    _pre_vote_ignores_the_log,
    _learner_refuses_its_vote,
    _waits_between_check_and_change,
    _one_reply_does_not_level_terms,
    _hung_disk_keeps_its_leader,
    _leader_without_quorum_stays,
    _stands_without_asking,
    _ex_leader_kept,
)
