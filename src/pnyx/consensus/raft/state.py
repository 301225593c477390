"""What one Raft member knows beside what every member does (member/state.py).

The rules are functions of this state: roles, terms, election, follower, leader. Only raft.py, the
door, is called from outside.
"""

from dataclasses import dataclass

from pnyx.consensus.member.state import MemberState


@dataclass(slots=True)
class RaftState(MemberState):
    """One member of one group."""

    # Of candidates.
    handed_over: bool = False
    """The election was asked for by the leader itself."""

    # Of leaders.
    heartbeat_deadline_ms: int = 0
    heartbeat_due: bool = False
