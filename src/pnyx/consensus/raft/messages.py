"""What Raft members say to each other.

Every message begins with its sender's term; terms.py levels it before any role looks at the rest.
Who sent it and to whom is on the envelope. Requests a leader sends: `AppendEntries`, `Heartbeat`,
`CommitIndex`, `TimeoutNow`. Requests a candidate sends: `PreVote`, `RequestVote`. A follower asks
its leader with `ReadIndex`.
"""

from typing import TypeAlias

import msgspec

from pnyx.consensus.member.messages import CommitIndex, ReadIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.ready import Entry
from pnyx.ids import Index, Term


class AppendEntries(msgspec.Struct, frozen=True, array_like=True, tag="append_entries", gc=False):
    """Store these entries if our logs agree just before them (Raft §5.3)."""

    term: Term
    previous_index: Index
    previous_term: Term
    entries: tuple[Entry, ...]
    """Contiguous from ``previous_index + 1``; empty to find out whether the logs agree."""
    commit_index: Index
    """The leader's; the follower may use it up to the last entry of this message, no further."""


class AppendEntriesReply(
    msgspec.Struct, frozen=True, array_like=True, tag="append_entries_reply", gc=False
):
    """Our logs agree up to `match_index`, and it is durable here."""

    term: Term
    match_index: Index


class AppendEntriesRefusal(
    msgspec.Struct, frozen=True, array_like=True, tag="append_entries_refusal", gc=False
):
    """Our logs do not agree at `previous_index`."""

    term: Term
    previous_index: Index
    """As in the request: which probe this answers."""
    hint_index: Index
    """The highest index here that could agree."""
    hint_term: Term
    """The term of the entry there."""


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag="heartbeat", gc=False):
    """I lead. Confirms reads by its round, and repeats what is committed."""

    term: Term
    round: int
    """Grows with each broadcast of this node: an old answer never confirms a newer read."""
    commit_index: Index
    """At most what the receiver is known to hold: min(match, commit) (Raft §5.3)."""
    commit_term: Term
    """The term of the entry there: the receiver checks that it holds the same."""


class HeartbeatReply(msgspec.Struct, frozen=True, array_like=True, tag="heartbeat_reply", gc=False):
    """You led when `round` arrived."""

    term: Term
    round: int


class PreVote(msgspec.Struct, frozen=True, array_like=True, tag="pre_vote", gc=False):
    """Would you vote for me in `campaign_term`? Promises nothing (dissertation §9.6)."""

    term: Term
    """The sender's real term, which is levelled."""
    campaign_term: Term
    """The term it would stand in, which is not."""
    last_index: Index
    last_term: Term


class PreVoteReply(msgspec.Struct, frozen=True, array_like=True, tag="pre_vote_reply", gc=False):
    """What I would say if you asked for `campaign_term`."""

    term: Term
    campaign_term: Term
    granted: bool


class RequestVote(msgspec.Struct, frozen=True, array_like=True, tag="request_vote", gc=False):
    """Vote for me in `term` (Raft §5.2). Leaves only when the sender's own vote is durable."""

    term: Term
    last_index: Index
    last_term: Term
    transfer: bool
    """The leader itself asked for this election: loyalty to it is no reason to refuse."""


class RequestVoteReply(
    msgspec.Struct, frozen=True, array_like=True, tag="request_vote_reply", gc=False
):
    """My vote in `term`, durable."""

    term: Term
    granted: bool


RaftMessage: TypeAlias = (
    AppendEntries
    | AppendEntriesReply
    | AppendEntriesRefusal
    | Heartbeat
    | HeartbeatReply
    | CommitIndex
    | PreVote
    | PreVoteReply
    | RequestVote
    | RequestVoteReply
    | TimeoutNow
    | ReadIndex
    | ReadIndexReply
)
