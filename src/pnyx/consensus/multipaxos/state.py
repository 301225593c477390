"""What one Multi-Paxos member knows beside what every member does, and the acts its roles share.

The rules are functions of this state: election, acceptor, leader. Only multipaxos.py, the door, is
called from outside.
"""

from dataclasses import dataclass, field
from typing import Final

from pnyx.consensus.member.state import MemberState
from pnyx.consensus.multipaxos.staging import Staging
from pnyx.consensus.multipaxos.suffix import Suffix
from pnyx.consensus.ready import Entry, Role
from pnyx.ids import Index, NodeId, Term

FAILURES_MAX: Final = 7
"""A candidacy, and the pause after it, lasts at most one more than so many election timeouts."""


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
class MultiPaxosState(MemberState):
    """One member of one group. Its term is a round: nothing is promised or accepted below it.

    Invariant: the last entry's round <= accepted <= term.
    """

    accepted: Term = Term(0)
    """The ballot that the whole log is accepted in."""

    # Of everybody.
    heard: dict[NodeId, Heard] = field(default_factory=dict)
    """Whom we are connected with."""
    beat_ms: int = 0
    """When the next heartbeat is due."""
    beat_due: bool = False
    """Of leaders: it leaves with the next `ready`."""
    streaming: set[NodeId] = field(default_factory=set)
    """Candidates that are being sent a snapshot: until it ends, or leader or role change here."""

    # Of followers.
    leader_happy: bool = False
    staging: Staging | None = None

    # Of candidates.
    promised: dict[NodeId, Promised] = field(default_factory=dict)
    """What came with the promises that `votes` counts."""
    best: Suffix | None = None
    """The highest accepted log of those who promised, if it is above our own."""

    # Of leaders.
    adopted: Term = Term(0)
    """The ballot that the log had been accepted in which phase 1 adopted; it ends at
    `term_start`."""

    def adopt_term(self, term: Term) -> None:
        """Go to a higher round, in which nothing was promised yet."""
        assert term > self.term, "rounds only grow"
        self.term = term
        self.voted_for = None
        self.writes.hard_state_changed = True
        self.follow()

    def be_led(self) -> None:
        """A happy leader was heard: for a while there is no need to stand, or to know of others."""
        self.failures = 0
        self.heard_ms = self.now_ms
        self.election_deadline_ms = self.now_ms + self.election_ms
        self.beat_ms = self.now_ms + self.settings.election_ms_min

    def draw_candidacy(self) -> None:
        """Let a candidacy, or the pause after it, last the longer the more came to nothing.

        Two who duel draw apart (Paxos Made Simple §2.4), and a disk may take longer for a promise
        than an election timeout.
        """
        self.draw_election_timeout()
        self.election_deadline_ms += self.failures * self.election_ms

    def extend_candidacy(self) -> None:
        """Something of what is waited for came: wait for more as long as for the first."""
        self.election_deadline_ms = max(self.election_deadline_ms, self.now_ms + self.election_ms)

    def give_up(self) -> None:
        """End a candidacy that came to nothing: be unhappy, and let others try first."""
        self.follow()
        self.failures = min(self.failures + 1, FAILURES_MAX)
        self.draw_candidacy()

    def follow(self) -> None:
        """Be a follower whose leader is not known."""
        if self.role is not Role.FOLLOWER or self.leader is not None:
            self.streaming.clear()
        self.promised = {}
        self.best = None
        self.staging = None
        self.take(Role.FOLLOWER)

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
