"""Who leads: ballot leader election by quorum connectivity, then phase 1 (Paxos Made Simple §2.2).

A voter is *happy* while it leads a quorum, or hears a leader that says it is happy. Who is not asks
all others, with heartbeats, how they are. Only who is unhappy, is connected with a quorum both ways
and hears no happy neighbour takes over, with a round above all it knows (OmniPaxos, EuroSys '23
§5). So a leader that lost its quorum is replaced by whoever still has one, and a node that merely
does not hear a working leader disturbs nobody. Any log may lead: phase 1 brings the newest.
"""

from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.connectivity import beat, hear, is_connected, sees_happy
from pnyx.consensus.multipaxos.leader import lead
from pnyx.consensus.multipaxos.messages import Prepare, Promise, Refusal
from pnyx.consensus.multipaxos.state import MultiPaxosState, Promised
from pnyx.consensus.multipaxos.suffix import Suffix
from pnyx.consensus.quorum import verdict
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term


def tick(paxos: MultiPaxosState) -> None:
    """Be heard, notice that nobody leads, repeat what was not answered."""
    paxos.reads.expire(paxos.now_ms)
    if paxos.now_ms >= paxos.election_deadline_ms:
        _on_timeout(paxos)
    if paxos.role is Role.CANDIDATE and paxos.now_ms >= paxos.ask_again_ms:
        _ask(paxos)
    if paxos.role is not Role.LEADER and paxos.now_ms >= paxos.beat_ms:
        beat(paxos)


def stand(paxos: MultiPaxosState) -> None:
    """Begin phase 1 with a round above all that were heard of, and of this node's own before."""
    paxos.follow()
    if not paxos.may_stand() or paxos.is_stalled():
        # A leader that cannot write is worse than none.
        return
    paxos.role = Role.CANDIDATE
    # Before the new round is durable, and a request may leave, others would stand beside us.
    beat(paxos)
    paxos.streaming.clear()
    paxos.term = Term(paxos.term + 1)
    paxos.voted_for = paxos.me
    paxos.writes.hard_state_changed = True
    paxos.draw_candidacy()
    _ask(paxos)


def on_promise(paxos: MultiPaxosState, sender: NodeId, message: Promise) -> None:
    """Count a promise, and fetch the log that comes with it if it is the highest so far."""
    if paxos.role is not Role.CANDIDATE:
        return
    hear(paxos, sender, happy=False)
    paxos.votes[sender] = True
    paxos.promised[sender] = Promised(message.accepted, message.last_index, message.commit_index)
    log, best = paxos.log, paxos.best
    highest = (paxos.accepted, log.last_index) if best is None else best.rank
    if (message.accepted, message.last_index) > highest:
        # Of logs that were accepted in one ballot one is a prefix of the other, and of no others.
        alike = message.accepted == paxos.accepted
        base = log.last_index if alike else paxos.commit_index
        best = paxos.best = Suffix(sender, message.accepted, message.last_index, base)
    if best is not None and best.node == sender:
        if best.extend(message.previous_index, message.entries):
            # Over slow links a log takes longer than a timeout; begun anew, it would for ever.
            paxos.extend_candidacy()
        if not best.is_whole and message.entries:
            _ask_one(paxos, sender)
    _count(paxos)


def on_refusal(paxos: MultiPaxosState, sender: NodeId, _message: Refusal) -> None:
    """Another ballot of our round was promised there."""
    if paxos.role is Role.CANDIDATE:
        paxos.votes[sender] = False
        _count(paxos)


def on_persisted(paxos: MultiPaxosState) -> None:
    """Our own promise counts from now on, if that is what became durable."""
    if paxos.me not in paxos.votes and paxos.writes.is_ground_durable():
        paxos.votes[paxos.me] = True
        _count(paxos)


def begin_again(paxos: MultiPaxosState) -> None:
    """A snapshot changed the candidate's own log: what it asked for was something else."""
    own = paxos.votes.get(paxos.me)
    paxos.votes = {} if own is None else {paxos.me: own}
    paxos.promised = {}
    paxos.best = None
    paxos.extend_candidacy()
    _ask(paxos)


def _on_timeout(paxos: MultiPaxosState) -> None:
    if paxos.leader is not None:
        paxos.leader = None
        paxos.streaming.clear()
        paxos.reads.refuse_all()
    if paxos.role is Role.CANDIDATE:
        # No quorum promised, or told all of its log, in time.
        paxos.give_up()
        return
    if not paxos.may_stand():
        paxos.draw_election_timeout()
        return
    if is_connected(paxos) and not sees_happy(paxos) and not paxos.is_stalled():
        stand(paxos)
    else:
        # At random, so that two whom the same silence makes unhappy do not stand together.
        heartbeat_ms = paxos.settings.heartbeat_ms
        wait_ms = heartbeat_ms + paxos.prng.below(heartbeat_ms, "retry")
        paxos.election_deadline_ms = paxos.now_ms + wait_ms


def _membership(paxos: MultiPaxosState) -> Membership:
    """Return the membership that the log to be adopted ends with."""
    best = paxos.best
    if best is None:
        return paxos.log.membership
    return best.membership or paxos.log.memberships_from(best.base)[0]


def _count(paxos: MultiPaxosState) -> None:
    best = paxos.best
    if best is not None and not best.is_whole:
        return
    # Whose promises count is for the log to say that comes out of them: our own may be older than
    # the group's present membership.
    won = verdict(paxos.votes, _membership(paxos))
    if won:
        lead(paxos)
    elif won is False:
        paxos.give_up()
    elif paxos.me in paxos.votes:
        _ask_newcomers(paxos)


def _ask(paxos: MultiPaxosState) -> None:
    paxos.ask_again_ms = paxos.now_ms + paxos.settings.heartbeat_ms
    best = paxos.best
    for voter in _electorate(paxos):
        is_unfinished = best is not None and best.node == voter and not best.is_whole
        if voter not in paxos.votes or is_unfinished:
            _ask_one(paxos, voter)


def _ask_newcomers(paxos: MultiPaxosState) -> None:
    known = paxos.log.membership
    for voter in _electorate(paxos):
        if voter not in paxos.votes and not known.is_voter(voter):
            _ask_one(paxos, voter)


def _ask_one(paxos: MultiPaxosState, voter: NodeId) -> None:
    best = paxos.best
    after = best.end if best is not None and best.node == voter else Index(0)
    log = paxos.log
    request = Prepare(paxos.term, paxos.accepted, log.last_index, paxos.commit_index, after)
    # A round that we could forget in a crash must not be promised by anybody: we would use it
    # again.
    paxos.promise(paxos.writes.id_for_ground(), voter, request)


def _electorate(paxos: MultiPaxosState) -> list[NodeId]:
    adopted, best = _membership(paxos), paxos.best
    asked = {*paxos.voters(), *adopted.voters, *adopted.outgoing}
    if best is not None:
        # Whoever's log it is has to tell all of it, though our own may not name that member.
        asked.add(best.node)
    return sorted(asked - {paxos.me})
