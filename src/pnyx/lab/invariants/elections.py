"""Terms, votes, who may stand and who may lead."""

from pnyx.consensus.engines import EngineMessage
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.ready import Role
from pnyx.ids import NodeId, Term
from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import Facts, Member, is_quorum


def look(facts: Facts, member: Member) -> None:
    """Judge a change of term, vote or role.

    Raises:
        Violation: the node forgot its term or vote, stood alone, or leads where another does.
    """
    raft = member.raft
    forgot = raft.term == member.term and member.voted_for not in {None, raft.voted_for}
    if raft.term < member.term or forgot:
        raise catalogue.TERM_AND_VOTE_KEPT.broken(
            f"{member.name} went from term {member.term} and vote {_node(member.voted_for)} "
            f"to term {raft.term} and vote {_node(raft.voted_for)}"
        )
    if raft.role is not member.role or raft.term != member.term:
        _count_marks(facts, member)
        if raft.role in {Role.CANDIDATE, Role.LEADER}:
            _stand(facts, member)
        if raft.role is Role.LEADER:
            lead(facts, member, raft.term)
            _check_completeness(facts, member)


def lead(facts: Facts, member: Member, term: Term) -> None:
    """`member` is a leader in `term`, or speaks as one.

    Raises:
        Violation: so is another.
    """
    leader = facts.leaders.setdefault(term, member.node)
    if leader != member.node:
        raise catalogue.ELECTION_SAFETY.broken(
            f"{member.name} leads in term {term}, in which {_node(leader)} was elected"
        )


def grants(facts: Facts, voter: NodeId, candidate: NodeId, campaign_term: Term) -> None:
    """`voter` says that it would vote for `candidate` in `campaign_term`."""
    facts.granted.setdefault((candidate, campaign_term), set()).add(voter)


def tells_vote(facts: Facts, member: Member, candidate: NodeId, message: EngineMessage) -> None:
    """`member` tells that its vote in the term of `message` is for `candidate`.

    Raises:
        Violation: it has told of another.
    """
    voted_for = facts.votes.setdefault((member.node, message.term), candidate)
    if voted_for != candidate:
        raise catalogue.ONE_VOTE_A_TERM.broken(
            f"{member.name} votes for {_node(candidate)} in term {message.term}, in which it has "
            f"told {_node(voted_for)} that it has its vote"
        )


def _stand(facts: Facts, member: Member) -> None:
    term, node = member.raft.term, member.node
    stood = facts.stood.setdefault(term, {})
    if node in stood:
        return
    if isinstance(member.raft, MultiPaxosState):
        stood[node] = None
        return
    willing = {node} | facts.granted.get((node, term), set())
    if (node, term) not in facts.handed and not is_quorum(willing, member.raft.log.membership):
        raise catalogue.PRE_VOTE.broken(
            f"{member.name} stands in term {term}, but only {len(willing)} nodes, itself "
            "included, said that they would vote for it, and no leader told it to stand"
        )
    stood[node] = None
    if len(stood) > 1:
        facts.marks.hit(catalogue.ELECTION_SAFETY.sometimes)


def _check_completeness(facts: Facts, member: Member) -> None:
    raft, record = member.raft, facts.record
    committed = record.committed_before(raft.term)
    if raft.log.compacted.index < committed:
        held, agreed = raft.log.term_at(committed), record.entry(committed).term
        if held != agreed:
            raise catalogue.LEADER_COMPLETENESS.broken(
                f"{member.name} leads in term {raft.term}; entry {committed} of term {agreed} was "
                f"committed before, and its log "
                + ("lacks it" if held is None else f"has one of term {held} there")
            )
    if raft.commit_index < record.count:
        facts.marks.hit(catalogue.COMMITTED_STAYS.sometimes)
    # Its own first entry is in the log by now.
    if raft.log.last_index - 1 > raft.commit_index:
        facts.marks.hit(catalogue.LEADER_APPEND_ONLY.sometimes)
    if (member.node, raft.term) in facts.handed:
        facts.marks.hit(catalogue.HANDED_OVER)


def _count_marks(facts: Facts, member: Member) -> None:
    raft = member.raft
    if raft.role is Role.FOLLOWER and raft.term == member.term:
        if member.role is Role.PRE_CANDIDATE:
            facts.marks.hit(catalogue.PRE_VOTE.sometimes)
        elif member.role is Role.LEADER and raft.is_stalled():
            facts.marks.hit(catalogue.LEADER_STALLED)
        elif member.role is Role.LEADER and raft.log.membership.is_voter(member.node):
            facts.marks.hit(catalogue.LEADER_LOST_QUORUM)


def _node(node: NodeId | None) -> str:
    return "nobody" if node is None else f"{node:x}"
