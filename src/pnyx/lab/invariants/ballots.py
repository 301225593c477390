"""What Paxos promises besides: promises, acceptances, and what a leader must adopt."""

from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.ready import Role
from pnyx.ids import Term
from pnyx.lab.invariants import catalogue
from pnyx.lab.invariants.facts import EngineState, Facts, Member, is_quorum


def accepted_of(state: EngineState) -> Term:
    """Return the round that the log is accepted in; 0 with Raft."""
    return state.accepted if isinstance(state, MultiPaxosState) else Term(0)


def look(facts: Facts, member: Member) -> None:
    """Judge what was accepted, and with what a leader begins.

    Raises:
        Violation: something was accepted below the promise, a ballot is used a second time, or a
            leader adopted less than a quorum had accepted.
    """
    paxos = member.raft
    if not isinstance(paxos, MultiPaxosState):
        return
    _check_accepted(facts, member, paxos)
    _check_standing(facts, member, paxos)
    if paxos.role is Role.LEADER and (member.role is not Role.LEADER or member.term != paxos.term):
        used(facts, member, paxos.term)
        _check_adopted(facts, member, paxos)


def used(facts: Facts, member: Member, term: Term) -> None:
    """`member` asks for promises in its ballot of round `term`, or leads in it.

    Raises:
        Violation: it did so before a crash.
    """
    life = member.life
    lives = facts.ballots
    if lives.setdefault((member.node, term), life) != life:
        raise catalogue.BALLOT_USED_ONCE.broken(
            f"{member.name} uses its ballot of round {term} again, after it restarted"
        )
    if any(node == member.node and before < life for (node, _), before in lives.items()):
        facts.marks.hit(catalogue.BALLOT_USED_ONCE.sometimes)


def _check_accepted(facts: Facts, member: Member, paxos: MultiPaxosState) -> None:
    if paxos.accepted == member.accepted:
        return
    # What is chosen may be learned in any ballot: the log then ends there.
    is_learned = paxos.log.last_index <= paxos.commit_index and paxos.accepted <= paxos.term
    if paxos.accepted != paxos.term and not is_learned:
        raise catalogue.NOTHING_BELOW_THE_PROMISE.broken(
            f"{member.name} accepted a log in round {paxos.accepted}, and has promised round "
            f"{paxos.term}"
        )
    if paxos.role is Role.FOLLOWER and paxos.accepted == paxos.term:
        facts.marks.hit(catalogue.NOTHING_BELOW_THE_PROMISE.sometimes)


def _check_standing(facts: Facts, member: Member, paxos: MultiPaxosState) -> None:
    stands = paxos.role is Role.CANDIDATE and paxos.term != member.term
    if not stands and paxos.leader is not None:
        return
    since_ms = paxos.now_ms - paxos.settings.election_ms_min
    heard = paxos.heard
    happy = [
        peer
        for peer in paxos.voters()
        if peer in heard and heard[peer].happy and heard[peer].at_ms > since_ms
    ]
    if not happy:
        return
    facts.marks.hit(catalogue.TAKES_OVER_ONLY_IF_NEEDED.sometimes)
    if stands and (member.node, paxos.term) not in facts.handed:
        raise catalogue.TAKES_OVER_ONLY_IF_NEEDED.broken(
            f"{member.name} stands in round {paxos.term}; {happy[0]:x}, with which it is "
            "connected, hears a leader that has a quorum, or leads itself"
        )


def _check_adopted(facts: Facts, member: Member, paxos: MultiPaxosState) -> None:
    told = facts.promised.get((member.node, paxos.term), {})
    adopted = (paxos.adopted, paxos.term_start)
    below = {node for node, rank in told.items() if rank <= adopted}
    if not is_quorum(below | {member.node}, paxos.log.membership):
        raise catalogue.HIGHEST_ACCEPTED.broken(
            f"{member.name} leads in round {paxos.term} with a log of {paxos.term_start} entries "
            f"that was accepted in round {paxos.adopted}; only {len(below)} others have promised "
            "and had accepted no more"
        )
    if paxos.adopted != member.accepted or paxos.term_start > member.last_seen:
        facts.marks.hit(catalogue.HIGHEST_ACCEPTED.sometimes)
