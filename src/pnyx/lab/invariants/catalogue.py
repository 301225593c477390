"""All invariants and all marks of a world, for documents, the command line and the checks."""

from typing import Final

from pnyx.lab.invariants.invariant import Invariant, Mark

ELECTION_SAFETY: Final = Invariant(
    "election_safety",
    "Raft Fig. 3, §5.2",
    "Two leaders of one term would give the same index to different commands.",
    Mark("two_candidates_in_one_term", "Two nodes stood for election in the same term."),
)
TERM_AND_VOTE_KEPT: Final = Invariant(
    "term_and_vote_kept",
    "Raft Fig. 2, persistent state",
    "A node that forgets its term or its vote can vote twice.",
    Mark("restart_with_a_vote", "A node restarted in a term in which it had voted."),
)
ONE_VOTE_A_TERM: Final = Invariant(
    "one_vote_a_term",
    "Raft §5.2",
    "A node that votes for two candidates of one term can elect both.",
    Mark("vote_already_given", "A node refused its vote, for another had it already."),
)
PRE_VOTE: Final = Invariant(
    "pre_vote",
    "dissertation §9.6",
    "A node that hears no quorum would raise its term alone and depose a working leader later.",
    Mark("pre_vote_in_vain", "A node asked whether it could win, and gave up or asked again."),
)
LEADER_APPEND_ONLY: Final = Invariant(
    "leader_append_only",
    "Raft Fig. 3, §5.3",
    "A leader that rewrites its log takes back what was acknowledged to it.",
    Mark("leader_with_uncommitted_past", "A leader began with older entries it did not know of."),
)
LOG_MATCHING: Final = Invariant(
    "log_matching",
    "Raft Fig. 3, §5.3",
    "If index and term do not name one entry and all before it, one comparison proves nothing.",
    Mark("a_follower_cut_its_log", "A follower dropped entries that another leader never had."),
)
LEADER_COMPLETENESS: Final = Invariant(
    "leader_completeness",
    "Raft Fig. 3, §5.4.3",
    "A leader without a committed entry overwrites it everywhere.",
    Mark("vote_refused_to_a_shorter_log", "A candidate whose log lacked entries was refused."),
)
COMMITTED_STAYS: Final = Invariant(
    "committed_stays",
    "Raft §5.4",
    "What was acknowledged to a client must never be replaced by something else.",
    Mark("leader_behind_the_commit", "A leader began without knowing all that was committed."),
)
DURABLE_MAJORITY: Final = Invariant(
    "committed_on_a_durable_majority",
    "Raft §5.3, dissertation §10.2.1",
    "What is committed must survive a power cut of everybody, so a majority has it on disk.",
    Mark("commit_without_everybody", "An entry was committed while a voter did not have it."),
)
OWN_TERM_COMMITS: Final = Invariant(
    "own_term_commits",
    "Raft §5.4.2, Figure 8",
    "An older term's entry may be on a majority and still be replaced, so counting proves nothing.",
    Mark("older_entries_committed", "A leader committed entries of a term before its own."),
)
STATE_MACHINE_SAFETY: Final = Invariant(
    "state_machine_safety",
    "Raft Fig. 3, §5.4.3",
    "Members that apply different entries at one index have different data from then on.",
    Mark("entries_applied_again", "A restarted node applied entries that it had applied before."),
)
SNAPSHOT_EQUALS_REPLAY: Final = Invariant(
    "snapshot_equals_replay",
    "Raft §7",
    "A member that was sent a state must hold what it would hold had it replayed the log.",
    Mark("snapshot_installed", "A member installed a snapshot."),
)
DURABLE_BEFORE_SENT: Final = Invariant(
    "durable_before_sent",
    "Raft Fig. 2; consensus/ready.py",
    "A promise that leaves before it is on disk is forgotten in a crash, but not by who heard it.",
    Mark("crash_with_unsynced_writes", "A node ended while writes were on their way to its disk."),
)
DURABLE_BEFORE_APPLIED: Final = Invariant(
    "durable_before_applied",
    "consensus/ready.py, `committed`",
    "A state that is ahead of its own log after a crash has lost its disk.",
    Mark("commit_ahead_of_disk", "A node knew of a commit before the entry was on its own disk."),
)
RECOVERY_IS_EXACT: Final = Invariant(
    "recovery_is_exact",
    "storage/recovery.py",
    "A restart brings back all that was durable, and nothing that was never written.",
    Mark("unsynced_writes_lost", "A crash took writes that were not durable."),
)
MATCH_IS_DURABLE: Final = Invariant(
    "match_is_durable",
    "Raft §5.3, matchIndex",
    "A leader that believes too much of a follower commits what no majority holds.",
    Mark("append_refused", "A follower refused an append, so its leader had to go back."),
)
MEMBERSHIP_FOLLOWS_LOG: Final = Invariant(
    "membership_follows_log",
    "dissertation §4.1",
    "Members that count different quorums for the same log can decide without each other.",
    Mark("membership_rolled_back", "An uncommitted change of members was cut from a log."),
)
INDEXES_IN_ORDER: Final = Invariant(
    "indexes_in_order",
    "Raft Fig. 2, volatile state",
    "Applied is never past committed, committed never past the log, and neither goes back.",
    Mark("apply_lagged", "A node knew of a commit that it had not applied."),
)
RESOURCES_BOUNDED: Final = Invariant(
    "resources_bounded",
    "ARCHITECTURE.md, invariant 11",
    "A queue without a limit ends in a process that is killed for its memory.",
    Mark("request_parked", "A request waited for a leader."),
)
DONE_MEANS_COMMITTED: Final = Invariant(
    "done_means_committed",
    "replica/requests.py, `Done`",
    "An acknowledged write is in the log, after everything that was answered before it was asked.",
    Mark("write_done", "A write was answered done."),
)
NOT_DONE_MEANS_NEVER: Final = Invariant(
    "not_done_means_never",
    "replica/requests.py, `NotDone`, `Elsewhere`",
    "A client that is told that nothing happened tries again, and would have its effect twice.",
    Mark("write_refused", "A write was answered not done, or elsewhere."),
)
NO_REQUEST_TWICE: Final = Invariant(
    "no_request_twice",
    "replica/requests.py, `Unknown`",
    "A request that is in the log twice has its effect twice.",
    Mark("unknown_write_took_effect", "A write whose outcome was unknown is in the log."),
)
ANSWERED_ONCE: Final = Invariant(
    "answered_once",
    "replica/replica.py, rule 1",
    "Who is answered twice takes the second answer for that of the next request.",
    Mark("answer_unknown", "A request was answered: unknown."),
)
NOTHING_UNASKED: Final = Invariant(
    "nothing_unasked",
    "lab/witness.py",
    "The log holds whole requests of clients and nothing else.",
    Mark("requests_shared_an_entry", "Several requests were proposed as one entry."),
)
RESULTS_FOLLOW_THE_LOG: Final = Invariant(
    "results_follow_the_log",
    "lab/witness.py",
    "What a client is told is what its commands do where they stand in the log.",
    Mark("condition_not_met", "A conditional write found its condition not met."),
)
READS_ARE_CURRENT: Final = Invariant(
    "reads_are_current",
    "dissertation §6.4",
    "A read that shows a value which was over before it was asked breaks linearizability.",
    Mark("read_beside_a_write", "A value changed while somebody was reading."),
)

NOTHING_BELOW_THE_PROMISE: Final = Invariant(
    "nothing_below_the_promise",
    "Paxos Made Simple §2.2, P1a",
    "Who accepts below what it has promised makes a later ballot's quorum blind.",
    Mark("log_accepted_whole", "A follower accepted a leader's log in a new ballot."),
)
HIGHEST_ACCEPTED: Final = Invariant(
    "highest_accepted",
    "Paxos Made Simple §2.2, P2c",
    "A leader must adopt the log of the highest ballot that its quorum accepted, and all of it.",
    Mark("log_adopted", "A leader adopted a log that its quorum had and it had not."),
)
BALLOT_USED_ONCE: Final = Invariant(
    "ballot_used_once",
    "Paxos Made Simple §2.2; phxpaxos #145",
    "A node that uses a ballot again after a crash proposes two logs in it.",
    Mark("restart_after_a_ballot", "A node that had used a ballot restarted and used another."),
)
TAKES_OVER_ONLY_IF_NEEDED: Final = Invariant(
    "takes_over_only_if_needed",
    "OmniPaxos (EuroSys '23) §5",
    "A node that deposes a leader whom its neighbours hear will be deposed by them in turn.",
    Mark("neighbour_is_happy", "A node that heard no leader was connected with one that did."),
)

OF_BALLOTS: Final = (
    NOTHING_BELOW_THE_PROMISE,
    HIGHEST_ACCEPTED,
    BALLOT_USED_ONCE,
    TAKES_OVER_ONLY_IF_NEEDED,
)
"""Of Multi-Paxos alone."""

EXACTLY_ONCE: Final = Invariant(
    "session_write_done_once",
    "sharding: sessions",
    "A client that sends a write again because it heard nothing would have its effect twice.",
    Mark("session_write_again_in_the_log", "A write stood in the log although it was done before."),
)
LATE_REFUSED: Final = Invariant(
    "late_session_write_refused",
    "sharding: sessions",
    "What may have been forgotten must never be done, however late a copy of it arrives.",
    Mark("late_session_write_in_the_log", "A write stood in the log after its deadline."),
)
FIRST_ANSWER: Final = Invariant(
    "retry_gets_first_answer",
    "sharding: sessions",
    "A client that is told something else than what happened goes on from a state that never was.",
    Mark("retry_answered", "A write was answered twice."),
)
NOT_APPLIED_MEANS_NEVER: Final = Invariant(
    "not_applied_means_never",
    "experience: Timeout.outcome; transport/verdict.py",
    "A client that is told that its write was not applied does it again, and would have it twice.",
    Mark("write_said_not_applied", "A client gave a write up and could say: not applied."),
)
OF_SESSIONS: Final = (EXACTLY_ONCE, LATE_REFUSED, FIRST_ANSWER, NOT_APPLIED_MEANS_NEVER)
"""Of clients that send their writes again, and say what they know of those that they gave up."""

INVARIANTS: Final = (
    ELECTION_SAFETY,
    TERM_AND_VOTE_KEPT,
    ONE_VOTE_A_TERM,
    PRE_VOTE,
    LEADER_APPEND_ONLY,
    LOG_MATCHING,
    LEADER_COMPLETENESS,
    COMMITTED_STAYS,
    DURABLE_MAJORITY,
    OWN_TERM_COMMITS,
    STATE_MACHINE_SAFETY,
    SNAPSHOT_EQUALS_REPLAY,
    DURABLE_BEFORE_SENT,
    DURABLE_BEFORE_APPLIED,
    RECOVERY_IS_EXACT,
    MATCH_IS_DURABLE,
    MEMBERSHIP_FOLLOWS_LOG,
    INDEXES_IN_ORDER,
    RESOURCES_BOUNDED,
    DONE_MEANS_COMMITTED,
    NOT_DONE_MEANS_NEVER,
    NO_REQUEST_TWICE,
    ANSWERED_ONCE,
    NOTHING_UNASKED,
    RESULTS_FOLLOW_THE_LOG,
    READS_ARE_CURRENT,
    *OF_BALLOTS,
    *OF_SESSIONS,
)
"""In the order in which they are explained."""

LOG_CONFLICT_TRUNCATED: Final = Mark(
    "durable_entries_replaced", "Entries that were already on a disk were replaced by a leader's."
)
UNSYNCED_KEPT: Final = Mark(
    "unsynced_writes_kept", "A crash left writes that were never confirmed to be durable."
)
LEADER_STALLED: Final = Mark("leader_stalled_disk", "A leader gave up, for its disk hung.")
LEADER_LOST_QUORUM: Final = Mark("leader_lost_quorum", "A leader gave up, for nobody followed.")
HANDED_OVER: Final = Mark("leadership_handed_over", "A leader told another to stand, and it led.")
READ_REFUSED: Final = Mark("read_refused", "A leader refused the index that a read must wait for.")
PROPOSAL_SUPERSEDED: Final = Mark(
    "proposal_superseded", "Another entry was committed where a proposal stood."
)
FORWARD_UNKNOWN: Final = Mark(
    "forward_unknown", "A request forwarded to the leader ended with an unknown outcome."
)
LEARNER_PROMOTED: Final = Mark("learner_promoted", "A learner became a voter.")
JOINT_MEMBERSHIP: Final = Mark("joint_membership", "A joint membership was committed.")
LEADER_REMOVED: Final = Mark("leader_removed", "A leader committed a membership without itself.")
LOG_COMPACTED: Final = Mark("log_compacted", "A node dropped the beginning of its log.")
SNAPSHOT_SENT: Final = Mark("snapshot_sent", "A snapshot stream was confirmed by its receiver.")
NODE_FAILED: Final = Mark("node_failed", "A node stopped itself: its disk failed or was lost.")
NODE_WIPED: Final = Mark("node_wiped", "A node came back on an empty disk under another id.")
UNKNOWN_NEVER_TOOK_EFFECT: Final = Mark(
    "unknown_write_had_no_effect", "A write whose outcome was unknown never got into the log."
)
READ_BY_LOG: Final = Mark("read_by_log", "A read rode in the log.")

MARKS: Final = (
    *(invariant.sometimes for invariant in INVARIANTS),
    LOG_CONFLICT_TRUNCATED,
    UNSYNCED_KEPT,
    LEADER_STALLED,
    LEADER_LOST_QUORUM,
    HANDED_OVER,
    READ_REFUSED,
    PROPOSAL_SUPERSEDED,
    FORWARD_UNKNOWN,
    LEARNER_PROMOTED,
    JOINT_MEMBERSHIP,
    LEADER_REMOVED,
    LOG_COMPACTED,
    SNAPSHOT_SENT,
    NODE_FAILED,
    NODE_WIPED,
    UNKNOWN_NEVER_TOOK_EFFECT,
    READ_BY_LOG,
)
"""Everything that a campaign should reach at some time."""

assert len({mark.name for mark in MARKS}) == len(MARKS), "a mark's name is its own"
assert len({each.name for each in INVARIANTS}) == len(INVARIANTS), "an invariant's name, too"
