"""Which role follows which: one table, asserted at every change and drawn in the documents.

Only `change_role` has a member take a role. It asks the table what follows, so a rule can say what
happened but never what to become.
"""

from enum import Enum
from typing import Final, NamedTuple

from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Role
from pnyx.ids import Term


class Event(Enum):
    """Why a role changes."""

    ELECTION_TIMEOUT = "election timeout"
    PRE_VOTE_WON = "a quorum would vote"
    VOTE_WON = "a quorum voted"
    VOTE_LOST = "no quorum can be won"
    TIMEOUT_NOW = "the leader hands over"
    LEADER_HEARD = "a leader of this term is heard"
    HIGHER_TERM = "a higher term is heard of"
    QUORUM_LOST = "no quorum heard for an election timeout"
    DISK_STALLED = "own disk hangs"
    REMOVED = "a member no more"


class Transition(NamedTuple):
    """One arrow."""

    source: Role
    event: Event
    target: Role
    rule: str
    """Where it is written."""


TRANSITIONS: Final[tuple[Transition, ...]] = (
    Transition(Role.FOLLOWER, Event.ELECTION_TIMEOUT, Role.PRE_CANDIDATE, "dissertation §9.6"),
    Transition(Role.FOLLOWER, Event.TIMEOUT_NOW, Role.CANDIDATE, "dissertation §3.10"),
    Transition(Role.FOLLOWER, Event.HIGHER_TERM, Role.FOLLOWER, "Raft §5.1"),
    Transition(Role.PRE_CANDIDATE, Event.PRE_VOTE_WON, Role.CANDIDATE, "dissertation §9.6"),
    Transition(Role.PRE_CANDIDATE, Event.ELECTION_TIMEOUT, Role.PRE_CANDIDATE, "Raft §5.2"),
    Transition(Role.PRE_CANDIDATE, Event.VOTE_LOST, Role.FOLLOWER, "dissertation §9.6"),
    Transition(Role.PRE_CANDIDATE, Event.LEADER_HEARD, Role.FOLLOWER, "Raft §5.2"),
    Transition(Role.PRE_CANDIDATE, Event.HIGHER_TERM, Role.FOLLOWER, "Raft §5.1"),
    Transition(Role.PRE_CANDIDATE, Event.DISK_STALLED, Role.FOLLOWER, "consensus design"),
    Transition(Role.CANDIDATE, Event.VOTE_WON, Role.LEADER, "Raft §5.2"),
    Transition(Role.CANDIDATE, Event.ELECTION_TIMEOUT, Role.PRE_CANDIDATE, "Raft §5.2"),
    Transition(Role.CANDIDATE, Event.VOTE_LOST, Role.FOLLOWER, "Raft §5.2"),
    Transition(Role.CANDIDATE, Event.LEADER_HEARD, Role.FOLLOWER, "Raft §5.2"),
    Transition(Role.CANDIDATE, Event.HIGHER_TERM, Role.FOLLOWER, "Raft §5.1"),
    Transition(Role.CANDIDATE, Event.DISK_STALLED, Role.FOLLOWER, "consensus design"),
    Transition(Role.LEADER, Event.HIGHER_TERM, Role.FOLLOWER, "Raft §5.1"),
    Transition(Role.LEADER, Event.QUORUM_LOST, Role.FOLLOWER, "dissertation §6.2"),
    Transition(Role.LEADER, Event.DISK_STALLED, Role.FOLLOWER, "consensus design"),
    Transition(Role.LEADER, Event.REMOVED, Role.FOLLOWER, "dissertation §4.2.2"),
)

_AFTER: Final = {(arrow.source, arrow.event): arrow.target for arrow in TRANSITIONS}

assert len(_AFTER) == len(TRANSITIONS), "one event leads from a role to one role"


def change_role(raft: RaftState, event: Event) -> None:
    """Take the role that follows `event`, and drop what belonged to the one before."""
    target = _AFTER.get((raft.role, event))
    assert target is not None, f"the table has no arrow from {raft.role.name} for '{event.value}'"
    raft.handed_over = False
    raft.heartbeat_due = False
    raft.take(target)


def adopt_term(raft: RaftState, term: Term) -> None:
    """Follow in a higher term, whose leader is not known yet (Raft §5.1)."""
    assert term > raft.term, "terms only grow"
    raft.term = term
    raft.voted_for = None
    raft.writes.hard_state_changed = True
    change_role(raft, Event.HIGHER_TERM)


def role_diagram() -> str:
    """Return the table as a mermaid state diagram, without a trailing newline."""
    lines = ["stateDiagram-v2", f"    [*] --> {Role.FOLLOWER.name}: start"]
    lines += [
        f"    {arrow.source.name} --> {arrow.target.name}: {arrow.event.value}"
        for arrow in TRANSITIONS
    ]
    return "\n".join(lines)
