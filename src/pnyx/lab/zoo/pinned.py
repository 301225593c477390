"""A seed for each planted bug that catches it at once. Made by `pnyx lab zoo hunt --all`."""

from typing import Final, NamedTuple


class Pin(NamedTuple):
    """One hunt's end."""

    seed: int
    """A run of the swarm, or of its scenario, in which the bug is caught."""
    invariant: str
    """Which broke first."""
    runs: int
    """How many runs the hunt took, this one included."""


PINNED: Final[dict[str, Pin]] = {
    "A1-vote-not-durable": Pin(0, "durable_before_sent", 1),
    "A2-term-and-vote-apart": Pin(0, "durable_before_sent", 1),
    "A3-failed-sync-ignored": Pin(0, "term_and_vote_kept", 1),
    "A4-metadata-read-as-nothing": Pin(0, "term_and_vote_kept", 1),
    "A5-vote-erased-in-its-term": Pin(0, "term_and_vote_kept", 1),
    "A7-acknowledged-before-sync": Pin(0, "durable_before_sent", 1),
    "A8-leader-counts-unflushed": Pin(2, "committed_on_a_durable_majority", 3),
    "A9-truncate-always": Pin(488, "committed_on_a_durable_majority", 489),
    "A11-late-write-confirms-rewritten-tail": Pin(947, "assertion", 948),
    "A12-completions-out-of-order": Pin(1, "durable_before_applied", 2),
    "A14-directory-not-synced": Pin(3, "recovery_is_exact", 4),
    "A15-state-behind-its-log": Pin(10, "state_machine_safety", 11),
    "A17-applied-index-apart-from-state": Pin(6, "results_follow_the_log", 7),
    "A18-log-cut-at-damage": Pin(10, "assertion", 11),
    "B1-older-terms-counted": Pin(0, "own_term_commits", 1),
    "B2-heartbeat-commits-unmatched": Pin(0, "committed_stays", 1),
    "B3-commits-up-to-own-end": Pin(82, "committed_stays", 23),
    "B4-acknowledgement-of-earlier-term": Pin(467, "durable_before_sent", 468),
    "B6-match-raised-by-refusal": Pin(25, "match_is_durable", 26),
    "B7-commit-goes-back": Pin(26, "indexes_in_order", 27),
    "B8-half-is-a-quorum": Pin(4, "committed_on_a_durable_majority", 5),
    "B9-success-by-index-only": Pin(19, "done_means_committed", 20),
    "B11-joint-quorum-of-the-union": Pin(4, "committed_on_a_durable_majority", 5),
    "C1-replies-counted-not-voters": Pin(31, "elected_by_quorum", 32),
    "C2-pre-vote-taken-for-a-vote": Pin(0, "elected_by_quorum", 1),
    "C3-longer-log-wins": Pin(220, "pre_vote_needs_the_log", 221),
    "C4-lower-terms-get-no-answer": Pin(172, "leader_elected", 173),
    "C5-pre-vote-refused-in-the-askers-term": Pin(11, "leader_elected", 12),
    "C6-stale-pre-vote-round-wins": Pin(12, "loyal_nodes_never_stand", 13),
    "C7-pre-vote-ignores-the-log": Pin(1, "pre_vote_needs_the_log", 2),
    "C9-learner-refuses-its-vote": Pin(350, "leader_elected", 93),
    "C10-waits-between-check-and-change": Pin(35, "pre_vote", 7),
    "C12-hung-disk-keeps-its-leader": Pin(32, "leader_has_a_disk", 33),
    "C13-leader-without-quorum-stays": Pin(0, "leader_has_a_quorum", 1),
    "C15-stands-without-asking": Pin(0, "pre_vote", 1),
    "C16-ex-leader-kept": Pin(1, "leader_elected", 2),
    "D1-read-before-own-commit": Pin(5, "reads_are_current", 6),
    "D7-alone-means-recovered": Pin(6, "reads_are_current", 7),
    "D8-read-before-applied": Pin(0, "reads_are_current", 1),
    "D10-reads-outlive-their-leader": Pin(13, "assertion", 14),
    "E1-one-step-before-own-commit": Pin(17, "own_commit_before_change", 18),
    "E2-membership-not-rolled-back": Pin(50, "membership_follows_log", 51),
    "E3-snapshot-of-an-uncommitted-change": Pin(2, "snapshot_equals_replay", 3),
    "E4-joint-for-ever": Pin(13, "change_finishes", 14),
    "E6-removed-leader-stays": Pin(350, "removed_leader_leaves", 93),
    "E7-learner-takes-office": Pin(181, "leader_is_voter", 54),
    "E9-id-used-again-on-an-empty-disk": Pin(2, "nodes_converge", 3),
    "E10-second-change-accepted": Pin(400, "assertion", 401),
    "E11-who-is-leaving-does-not-stand": Pin(13, "leader_elected", 14),
    "F1-install-over-a-running-apply": Pin(249, "assertion", 73),
    "F2-snapshot-drops-a-longer-log": Pin(32, "snapshot_keeps_what_agrees", 6),
    "F4-boundary-term-is-zero": Pin(0, "log_matching", 1),
    "F5-nothing-left-to-send": Pin(0, "nodes_converge", 1),
    "F7-stuck-after-a-snapshot-at-the-end": Pin(109, "nodes_converge", 110),
    "F8-half-an-install-stays": Pin(66, "state_machine_safety", 15),
    "F9-snapshot-is-no-sign-of-life": Pin(0, "answers_are_signs_of_life", 1),
    "F10-compaction-overtakes-replication": Pin(0, "assertion", 1),
    "F11-restart-forgets-the-snapshot": Pin(12, "snapshot_equals_replay", 13),
    "F13-snapshot-lacks-what-is-no-data": Pin(0, "state_machine_safety", 1),
    "F14-snapshot-of-a-moving-state": Pin(0, "snapshot_equals_replay", 1),
    "G1-lost-window-never-opens": Pin(1, "core_serves", 2),
    "G5-late-refusal-taken-for-a-lost-log": Pin(109, "match_never_falls", 110),
    "G6-poison-command": Pin(0, "core_serves", 1),
    "G7-transfer-never-given-up": Pin(80, "core_serves", 81),
    "G9-heartbeat-waits-for-the-disk": Pin(0, "heartbeats_wait_for_terms_only", 1),
    "G10-lost-tail-accepted": Pin(0, "recovery_is_exact", 1),
    "G11-refused-candidate-resets-timers": Pin(0, "timers_move_for_a_reason", 1),
    "G12-repeated-request-runs-again": Pin(80, "no_request_twice", 81),
    "S1-checked-when-proposed": Pin(0, "scenario", 1),
    "S2-sessions-stay-behind": Pin(0, "scenario", 1),
    "S7-old-copy-stays-on-followers": Pin(0, "state_machine_safety", 1),
    "S9-rebalance-iterates-a-map": Pin(0, "configurations_agree", 1),
    "S10-number-skipped": Pin(0, "configuration_numbers_without_gaps", 1),
    "S12-expiry-by-the-local-clock": Pin(0, "state_machine_safety", 1),
    "S14-late-retry-is-new": Pin(0, "late_session_write_refused", 1),
    "S15-acknowledgement-dropped-too-early": Pin(0, "session_write_done_once", 1),
}
