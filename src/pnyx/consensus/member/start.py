"""With what a member starts: as a follower, from what recovery found, all of it durable."""

from dataclasses import dataclass, field
from typing import TypeVar

from pnyx.consensus.member.log import Log
from pnyx.consensus.member.reads import Reads
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.member.writes import Writes
from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import HardState, RecoveredLog
from pnyx.ids import Index, NodeId
from pnyx.prng import Prng

S = TypeVar("S", bound=MemberState)


@dataclass(frozen=True, slots=True)
class Start:
    """One member, before it has run."""

    me: NodeId
    membership: Membership
    """In force at the log's beginning; entries of the log may bring a newer one. A node that joins
    a group that works already starts from the membership that the group was formed with, which does
    not list it, and an empty log: it neither votes for itself nor stands before its log says that
    it is a voter."""
    settings: MemberSettings
    prng: Prng
    """The source of election timeouts."""
    now_ms: int
    """The monotone clock now."""
    boot: int
    """Random, another one at each start: late answers to an earlier life are dropped."""
    recovered: RecoveredLog = field(default_factory=RecoveredLog)
    applied: Index = Index(0)
    """What the space holds already; not handed out again."""


def begun(kind: type[S], start: Start) -> S:
    """Return the state, of an engine's kind, of a follower that waits for a leader."""
    recovered = start.recovered
    log = Log(start.membership, recovered.compacted, recovered.entries)
    committed = max(start.applied, log.compacted.index)
    assert committed <= log.last_index, "the space is never ahead of the log"
    hard_state = recovered.hard_state
    writes = Writes(log.last_index, log.last_index, durable_term=hard_state.term)
    if log.last_term > hard_state.term:
        # A snapshot was installed and we crashed before its term was written. We have not voted in
        # that term, or the hard state would say so.
        hard_state = HardState(log.last_term)
        writes.hard_state_changed = True
    state = kind(
        me=start.me,
        settings=start.settings,
        prng=start.prng,
        now_ms=start.now_ms,
        log=log,
        writes=writes,
        reads=Reads(start.me, start.boot),
        term=hard_state.term,
        voted_for=hard_state.voted_for,
        commit_index=committed,
        given_index=committed,
    )
    state.draw_election_timeout()
    return state
