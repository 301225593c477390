"""Nothing is promised before it is on disk; what is on disk comes back; nobody believes more."""

from collections.abc import Callable
from typing import Any, Final, get_args

from pnyx.consensus.engines import EngineMessage
from pnyx.consensus.member.log import Log
from pnyx.consensus.member.messages import CommitIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.member.progress import Progress
from pnyx.consensus.multipaxos.messages import Accept, Accepted, Beat, Prepare, Promise, Wanted
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesRefusal,
    AppendEntriesReply,
    Heartbeat,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.ready import HardState, Mark
from pnyx.ids import NodeId, Term
from pnyx.lab.invariants import ballots, catalogue, elections
from pnyx.lab.invariants.facts import EngineState, Facts, Member
from pnyx.lab.invariants.shadow import Shadow
from pnyx.lab.watch import Violation
from pnyx.machine.group import Group
from pnyx.replica.messages import SnapshotReply

_ENGINES: Final = frozenset(get_args(EngineMessage))


def sending(facts: Facts, member: Member, to: NodeId, message: Any) -> None:
    """Judge a message by what its sender has on disk now, and remember what it tells.

    Raises:
        Violation: it tells what a crash could still undo, or what contradicts an earlier one.
    """
    kind = type(message)
    if kind in _ENGINES and member.shadow.hard_state.term < message.term:
        raise _too_early(member, to, message, f"term {message.term}")
    tell = _TELLS.get(kind)
    if tell is not None:
        tell(facts, member, to, message)


def check_match(facts: Facts, member: Member, peer: NodeId, progress: Progress) -> None:
    """Judge what a leader has come to believe of `peer`.

    Raises:
        Violation: that is not on the peer's disk.
    """
    raft, shadow, match = member.raft, facts.shadow(peer), progress.match
    if isinstance(raft, MultiPaxosState):
        if shadow.accepted_to.get(raft.term, 0) < match:
            raise catalogue.MATCH_IS_DURABLE.broken(
                f"{member.name} leads in round {raft.term} and believes that {peer:x} has accepted "
                f"its log up to {match}; durably it has up to {shadow.accepted_to.get(raft.term)}"
            )
        return
    if match > raft.log.last_index:
        term = None
    else:
        term = raft.log.term_at(match)
        if term is None and shadow.last_index >= match:
            return
    if not shadow.held_in(raft.term, match, term):
        raise catalogue.MATCH_IS_DURABLE.broken(
            f"{member.name} leads in term {raft.term} and believes that {peer:x} holds its log up "
            f"to {match}; the durable log there ends at {shadow.last_index}"
        )


def check_recovery(
    facts: Facts, name: str, shadow: Shadow, raft: EngineState, group: Group
) -> None:
    """Judge what a restart brought back, and take it for durable from now on.

    Raises:
        Violation: something durable is missing, or something is there that was never written.
    """
    if shadow.hard_state.voted_for is not None and raft.term == shadow.hard_state.term:
        facts.marks.hit(catalogue.TERM_AND_VOTE_KEPT.sometimes)
    _check_hard_state(name, shadow, raft)
    log = raft.log
    held = log.page(log.compacted.index, log.last_index, log.last_index, log.bytes + 1)
    candidate = shadow.copy()
    writes = list(shadow.pending)
    taken = 0
    while not _is_same(candidate, raft, group, held):
        if taken == len(writes):
            raise catalogue.RECOVERY_IS_EXACT.broken(
                f"{name} restarted with term {raft.term} and a log of {log.compacted.index}.."
                f"{log.last_index}; durable was term {shadow.hard_state.term} and "
                f"{shadow.start.index}..{shadow.last_index}, and none of the {taken} writes on "
                "their way explains the difference"
            )
        candidate.fold(writes[taken])
        taken += 1
    if taken < len(writes):
        facts.marks.hit(catalogue.RECOVERY_IS_EXACT.sometimes)
    if taken:
        facts.marks.hit(catalogue.UNSYNCED_KEPT)
    shadow.recovered(log.compacted, held, candidate.hard_state, ballots.accepted_of(raft))


def _check_hard_state(name: str, shadow: Shadow, raft: EngineState) -> None:
    durable = shadow.hard_state
    forgot = raft.term == durable.term and durable.voted_for not in {None, raft.voted_for}
    if raft.term < durable.term or forgot:
        raise catalogue.TERM_AND_VOTE_KEPT.broken(
            f"{name} restarted in term {raft.term}; its disk held term {durable.term} and a vote "
            f"in it{'' if durable.voted_for else ' for nobody'}"
        )


def _is_same(candidate: Shadow, raft: EngineState, group: Group, held: tuple[Any, ...]) -> bool:
    log = raft.log
    found, known = HardState(raft.term, raft.voted_for), candidate.hard_state
    if found != known and found != HardState(_raised_by(log, known.term)):
        return False
    if ballots.accepted_of(raft) not in {candidate.accepted, log.last_term}:
        return False
    if log.last_index == candidate.last_index and log.compacted.index >= candidate.start.index:
        # The space may hold durably what the log's last compaction mark had not said yet.
        covered = log.compacted == candidate.start or log.compacted.index <= group.applied.index
        above = candidate.entries[log.compacted.index - candidate.start.index :]
        return covered and tuple(above) == held
    # The space flipped to a snapshot, and the crash came before the log's mark.
    return not held and log.compacted == group.applied == group.installed


def _raised_by(log: Log, term: Term) -> Term:
    # A log that ends in a later term than its hard state started at a snapshot of that term.
    return log.last_term if log.last_term > term else Term(-1)


def _too_early(member: Member, to: NodeId, message: Any, what: str) -> Violation:
    return catalogue.DURABLE_BEFORE_SENT.broken(
        f"{member.name} sends {type(message).__name__} to {to:x}, which tells of {what}; that is "
        "not on its disk"
    )


# What messages tell, by their type.


def _prepares(facts: Facts, member: Member, to: NodeId, message: Prepare) -> None:
    ballots.used(facts, member, message.term)
    if not member.shadow.is_bound(message.term, member.node):
        raise _too_early(member, to, message, f"its own promise of round {message.term}")


def _promises(facts: Facts, member: Member, to: NodeId, message: Promise) -> None:
    elections.tells_vote(facts, member, to, message)
    if not member.shadow.is_bound(message.term, to):
        raise _too_early(member, to, message, f"its promise of round {message.term}")
    told = facts.promised.setdefault((to, message.term), {})
    told[member.node] = (message.accepted, message.last_index)


def _accepts(_facts: Facts, member: Member, to: NodeId, message: Accepted) -> None:
    if member.shadow.accepted_to.get(message.term, 0) < message.match_index:
        raise _too_early(member, to, message, f"an acceptance up to {message.match_index}")


def _beats(facts: Facts, member: Member, to: NodeId, message: Beat) -> None:
    if message.leads:
        _leads(facts, member, to, message)


def _leads(facts: Facts, member: Member, _to: NodeId, message: Any) -> None:
    elections.lead(facts, member, message.term)


def _hands_over(facts: Facts, member: Member, to: NodeId, message: TimeoutNow) -> None:
    elections.lead(facts, member, message.term)
    facts.handed.add((to, Term(message.term + 1)))


def _would_vote(facts: Facts, member: Member, to: NodeId, message: PreVoteReply) -> None:
    if message.granted:
        elections.grants(facts, member.node, to, message.campaign_term)
    elif message.term == member.raft.term and message.campaign_term > message.term:
        facts.marks.hit(catalogue.LEADER_COMPLETENESS.sometimes)


def _asks_votes(facts: Facts, member: Member, to: NodeId, message: RequestVote) -> None:
    elections.tells_vote(facts, member, member.node, message)
    if not member.shadow.is_bound(message.term, member.node):
        raise _too_early(member, to, message, f"its own vote in term {message.term}")


def _votes(facts: Facts, member: Member, to: NodeId, message: RequestVoteReply) -> None:
    durable = member.shadow.votes.get(message.term)
    if not message.granted:
        if durable not in {None, to}:
            facts.marks.hit(catalogue.ONE_VOTE_A_TERM.sometimes)
        return
    elections.tells_vote(facts, member, to, message)
    if not member.shadow.is_bound(message.term, to):
        raise _too_early(member, to, message, f"its vote in term {message.term}")


def _acknowledges(_facts: Facts, member: Member, to: NodeId, message: AppendEntriesReply) -> None:
    raft, shadow, match = member.raft, member.shadow, message.match_index
    term = raft.log.term_at(match)
    if raft.term == message.term and term is not None:
        is_durable = shadow.held_in(message.term, match, term)
    else:
        is_durable = shadow.reached.get(message.term, 0) >= match
    if not is_durable:
        raise _too_early(member, to, message, f"entries up to {match}")


def _refuses(facts: Facts, _member: Member, _to: NodeId, _message: Any) -> None:
    facts.marks.hit(catalogue.MATCH_IS_DURABLE.sometimes)


def _installed(_facts: Facts, member: Member, to: NodeId, message: SnapshotReply) -> None:
    mark: Mark = message.mark
    if message.installed and not member.shadow.holds(mark.index, mark.term):
        raise _too_early(member, to, message, f"a log that starts at {mark.index}")


def _answers_read(facts: Facts, _member: Member, _to: NodeId, message: ReadIndexReply) -> None:
    if message.index is None:
        facts.marks.hit(catalogue.READ_REFUSED)


_TELLS: Final[dict[type, Callable[[Facts, Member, NodeId, Any], None]]] = {
    AppendEntries: _leads,
    Heartbeat: _leads,
    CommitIndex: _leads,
    TimeoutNow: _hands_over,
    PreVoteReply: _would_vote,
    RequestVote: _asks_votes,
    RequestVoteReply: _votes,
    AppendEntriesReply: _acknowledges,
    AppendEntriesRefusal: _refuses,
    Prepare: _prepares,
    Promise: _promises,
    Accept: _leads,
    Accepted: _accepts,
    Wanted: _refuses,
    Beat: _beats,
    SnapshotReply: _installed,
    ReadIndexReply: _answers_read,
}
