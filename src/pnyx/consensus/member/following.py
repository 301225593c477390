"""What a follower does with either engine: commit what it holds, ask its leader for reads."""

from pnyx.consensus.member.messages import ReadIndex, ReadIndexReply
from pnyx.consensus.member.state import MemberState
from pnyx.ids import Index, NodeId, Term


def commit_if_held(member: MemberState, index: Index, term: Term) -> None:
    """The leader says that this position is committed."""
    # The same index and term means the same log up to there, so nothing unverified is committed.
    if index > member.commit_index and member.log.term_at(index) == term:
        member.commit_to(index)


def ask(member: MemberState) -> None:
    """Ask the leader what the reads that have gathered must wait for, all in one question."""
    reads = member.reads
    assert member.leader is not None, "without a leader reads are refused, not gathered"
    question = ReadIndex(member.term, reads.boot, reads.begin_question())
    member.promise(member.writes.id_for_ground(), member.leader, question)


def on_read_index_reply(member: MemberState, _sender: NodeId, message: ReadIndexReply) -> None:
    """The leader says what our reads must wait for."""
    member.reads.on_answer(message.boot, message.counter, message.index)
