"""How little is left of each planted bug's pinned run. Made by `pnyx lab zoo measure`."""

from typing import Final, NamedTuple


class Size(NamedTuple):
    """The smallest run that was found to break the same rule."""

    seed: int
    """Of the run that it was made of."""
    faults: int
    requests: int
    """But for those to a healed core."""


SIZES: Final[dict[str, Size]] = {
    "A1-vote-not-durable": Size(0, 0, 0),
    "A2-term-and-vote-apart": Size(0, 0, 0),
    "A3-failed-sync-ignored": Size(0, 2, 0),
    "A4-metadata-read-as-nothing": Size(0, 1, 0),
    "A5-vote-erased-in-its-term": Size(0, 1, 0),
    "A7-acknowledged-before-sync": Size(0, 0, 0),
    "A8-leader-counts-unflushed": Size(2, 0, 0),
    "A9-truncate-always": Size(488, 5, 14),
    "A11-late-write-confirms-rewritten-tail": Size(947, 3, 0),
    "A12-completions-out-of-order": Size(1, 0, 4),
    "A14-directory-not-synced": Size(3, 1, 3),
    "A15-state-behind-its-log": Size(10, 6, 1),
    "A17-applied-index-apart-from-state": Size(6, 12, 170),
    "A18-log-cut-at-damage": Size(10, 3, 1),
    "B1-older-terms-counted": Size(0, 34, 24),
    "B2-heartbeat-commits-unmatched": Size(0, 34, 12),
    "B3-commits-up-to-own-end": Size(109, 105, 68),
    "B4-acknowledgement-of-earlier-term": Size(467, 2, 1),
    "B6-match-raised-by-refusal": Size(25, 7, 1),
    "B7-commit-goes-back": Size(26, 2, 0),
    "B8-half-is-a-quorum": Size(4, 1, 0),
    "B9-success-by-index-only": Size(19, 6, 1239),
    "B11-joint-quorum-of-the-union": Size(4, 1, 0),
    "C1-replies-counted-not-voters": Size(31, 0, 0),
    "C2-pre-vote-taken-for-a-vote": Size(0, 0, 0),
    "C3-longer-log-wins": Size(220, 5, 0),
    "C4-lower-terms-get-no-answer": Size(172, 10, 10),
    "C5-pre-vote-refused-in-the-askers-term": Size(92, 80, 10),
    "C6-stale-pre-vote-round-wins": Size(323, 1, 0),
    "C7-pre-vote-ignores-the-log": Size(1, 3, 1),
    "C9-learner-refuses-its-vote": Size(350, 20, 1),
    "C10-waits-between-check-and-change": Size(35, 3, 181),
    "C11-one-reply-does-not-level-terms": Size(1464, 8, 2),
    "C12-hung-disk-keeps-its-leader": Size(32, 14, 0),
    "C13-leader-without-quorum-stays": Size(0, 1, 0),
    "C15-stands-without-asking": Size(0, 0, 0),
    "C16-ex-leader-kept": Size(1, 14, 47),
    "D1-read-before-own-commit": Size(5, 2, 2),
    "D2-read-joins-an-earlier-barrier": Size(9659, 0, 21),
    "D4-lease-survives-a-transfer": Size(1541, 2, 2),
    "D5-lease-from-the-acknowledgement": Size(365, 6, 18),
    "D6-lease-by-the-wall-clock": Size(8258, 11, 35),
    "D7-alone-means-recovered": Size(6, 1, 2),
    "D8-read-before-applied": Size(0, 34, 36),
    "D10-reads-outlive-their-leader": Size(13, 9, 9),
    "E1-one-step-before-own-commit": Size(17, 4, 0),
    "E2-membership-not-rolled-back": Size(50, 2, 0),
    "E3-snapshot-of-an-uncommitted-change": Size(2, 11, 56),
    "E4-joint-for-ever": Size(13, 101, 22),
    "E6-removed-leader-stays": Size(350, 1, 0),
    "E7-learner-takes-office": Size(181, 7, 0),
    "E9-id-used-again-on-an-empty-disk": Size(2, 1, 0),
    "E10-second-change-accepted": Size(400, 3, 0),
    "E11-who-is-leaving-does-not-stand": Size(13, 14, 1),
    "F1-install-over-a-running-apply": Size(249, 0, 149),
    "F2-snapshot-drops-a-longer-log": Size(32, 6, 0),
    "F4-boundary-term-is-zero": Size(0, 1, 11),
    "F5-nothing-left-to-send": Size(0, 34, 405),
    "F7-stuck-after-a-snapshot-at-the-end": Size(109, 139, 108),
    "F8-half-an-install-stays": Size(776, 22, 24),
    "F10-compaction-overtakes-replication": Size(0, 34, 27),
    "F11-restart-forgets-the-snapshot": Size(32, 35, 77),
    "F14-snapshot-of-a-moving-state": Size(0, 34, 27),
    "G6-poison-command": Size(0, 34, 134),
    "G9-heartbeat-waits-for-the-disk": Size(0, 0, 0),
}
