"""With whom a member is connected, and whether it is happy with who leads (OmniPaxos §5).

Happy is who leads a quorum, or hears a leader that says that it does. It is told with every
heartbeat and every answer, and nobody takes over while a connected neighbour is happy. So only the
leader, and who is not happy, need ask others.
"""

from pnyx.consensus.multipaxos.messages import Beat
from pnyx.consensus.multipaxos.state import Heard, MultiPaxosState
from pnyx.consensus.quorum import reached
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term


def hear(paxos: MultiPaxosState, sender: NodeId, *, happy: bool) -> None:
    """`sender` answered us: we are connected both ways."""
    paxos.heard[sender] = Heard(paxos.now_ms, happy)


def quorum_silent_ms(paxos: MultiPaxosState) -> int:
    """Return how long ago a quorum had answered, at most all of `now_ms`."""
    # Times begin at 0, which `reached` keeps for silence.
    heard = {peer: 1 + one.at_ms for peer, one in paxos.heard.items()}
    heard[paxos.me] = 1 + paxos.now_ms
    return 1 + paxos.now_ms - reached(heard, paxos.log.membership)


def is_connected(paxos: MultiPaxosState) -> bool:
    """Has a quorum answered within the least election timeout?"""
    return quorum_silent_ms(paxos) < paxos.settings.election_ms_min


def is_happy(paxos: MultiPaxosState) -> bool:
    """Is there no need for another leader, as far as is known here?"""
    if paxos.role is Role.LEADER:
        return is_connected(paxos) and not paxos.is_stalled()
    if paxos.role is Role.CANDIDATE:
        return True
    since_ms = paxos.now_ms - paxos.heard_ms
    is_led = paxos.leader is not None and since_ms < paxos.settings.election_ms_min
    return is_led and paxos.leader_happy


def sees_happy(paxos: MultiPaxosState) -> bool:
    """Is any voter that we are connected with happy?"""
    since_ms = paxos.now_ms - paxos.settings.election_ms_min
    near = (paxos.heard[peer] for peer in paxos.voters() if peer in paxos.heard)
    return any(one.happy and one.at_ms > since_ms for one in near)


def beat(paxos: MultiPaxosState) -> None:
    """Ask all other voters whether we are connected; a leader does it in leader.py."""
    happy = is_happy(paxos)
    paxos.beat_ms = paxos.now_ms + paxos.settings.heartbeat_ms
    if not paxos.may_stand():
        return
    # A round that is not durable must not be told, or it could be unknown to us after a crash; and
    # a candidate whose disk is busy with it must be heard, or others would stand beside it.
    known = paxos.writes.durable_term
    question = Beat(known, 0, happy, leads=False, commit_index=Index(0), commit_term=Term(0))
    for voter in paxos.voters():
        paxos.post(voter, question)
