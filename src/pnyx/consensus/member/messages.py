"""What members say to each other with either engine.

Every message begins with its sender's term, which is levelled before any role looks at the rest.
"""

import msgspec

from pnyx.ids import Index, Term


class CommitIndex(msgspec.Struct, frozen=True, array_like=True, tag="commit_index", gc=False):
    """What is committed moved and no append message is due that could carry it. No answer."""

    term: Term
    commit_index: Index
    commit_term: Term


class TimeoutNow(msgspec.Struct, frozen=True, array_like=True, tag="timeout_now", gc=False):
    """Stand for election at once: I hand leadership to you (dissertation §3.10)."""

    term: Term


class ReadIndex(msgspec.Struct, frozen=True, array_like=True, tag="read_index", gc=False):
    """Which index must a linearizable read of mine wait for? (dissertation §6.4)."""

    term: Term
    boot: int
    """The asker's start: an answer to an earlier life is dropped."""
    counter: int


class ReadIndexReply(
    msgspec.Struct, frozen=True, array_like=True, tag="read_index_reply", gc=False
):
    """The answer to the `counter`-th question of that boot."""

    term: Term
    boot: int
    counter: int
    index: Index | None
    """None: refused, the read may be tried again."""
