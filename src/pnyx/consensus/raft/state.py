"""What one Raft member knows beside what every member does (member/state.py).

The rules are functions of this state: roles, terms, election, follower, leader. Only raft.py, the
door, is called from outside.
"""

from dataclasses import dataclass
from typing import Final

from pnyx.consensus.member.state import MemberState

FAILURES_MAX: Final = 3
"""So an election timeout is at most eight times as long as usual."""


@dataclass(slots=True)
class RaftState(MemberState):
    """One member of one group."""

    # Of candidates.
    handed_over: bool = False
    """The election was asked for by the leader itself."""

    # Of leaders.
    heartbeat_deadline_ms: int = 0
    heartbeat_due: bool = False

    def draw_patience(self) -> None:
        """Draw an election timeout, twice as long for each candidacy that came to nothing.

        A vote takes two syncs, the candidate's and the voter's, and each may wait for the one that
        is under way. On disks that are slower than the timeouts nobody would win, for ever.
        """
        self.draw_election_timeout()
        self.election_ms <<= self.failures
        self.election_deadline_ms = self.now_ms + self.election_ms
