"""What members of a Multi-Paxos group say to each other.

Every message begins with the sender's round; the door levels it before any role looks at the rest.
`Prepare` and `Accept` are of the ballot (round, sender).
"""

from typing import TypeAlias

import msgspec

from pnyx.consensus.member.messages import CommitIndex, ReadIndex, ReadIndexReply, TimeoutNow
from pnyx.consensus.ready import Entry
from pnyx.ids import Index, Term


class Beat(msgspec.Struct, frozen=True, array_like=True, tag="beat", gc=False):
    """Are we connected? From the leader to everybody, and between voters that do not hear it."""

    term: Term
    round: int
    """Of heartbeats. The leader's grows with each broadcast: an old answer never confirms a newer
    read."""
    happy: bool
    """Does the sender lead a quorum, or hear a leader that does? Then nobody need take over."""
    leads: bool
    commit_index: Index
    commit_term: Term
    """The birth round of the entry there: the receiver checks that it holds the same."""


class BeatReply(msgspec.Struct, frozen=True, array_like=True, tag="beat_reply", gc=False):
    """We are, both ways; no promise of mine above `term` has left."""

    term: Term
    round: int
    happy: bool


class Prepare(msgspec.Struct, frozen=True, array_like=True, tag="prepare", gc=False):
    """Phase 1a: promise me this round, and tell me what you have accepted that I have not."""

    term: Term
    accepted: Term
    """The round that the sender's log is accepted in."""
    last_index: Index
    """Where its log ends."""
    commit_index: Index
    after: Index
    """Send what follows this: it is as much of the receiver's log as came before. 0: all."""


class Promise(msgspec.Struct, frozen=True, array_like=True, tag="promise", gc=False):
    """Phase 1b: nothing below this round is accepted here any more. Durable."""

    term: Term
    accepted: Term
    last_index: Index
    commit_index: Index
    previous_index: Index
    entries: tuple[Entry, ...]
    """A page of the log from ``previous_index + 1`` on, if it is newer than the asker's."""


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag="refusal", gc=False):
    """Another ballot was promised in this round, or in a higher one."""

    term: Term


class Accept(msgspec.Struct, frozen=True, array_like=True, tag="accept", gc=False):
    """Phase 2a: accept these entries, if our logs agree just before them."""

    term: Term
    previous_index: Index
    previous_term: Term
    entries: tuple[Entry, ...]
    sync_index: Index
    """The log adopted in phase 1 ends here: with less than that the ballot is not accepted."""
    commit_index: Index


class Accepted(msgspec.Struct, frozen=True, array_like=True, tag="accepted", gc=False):
    """Phase 2b: the log up to `match_index` is accepted in this round. Durable."""

    term: Term
    match_index: Index


class Wanted(msgspec.Struct, frozen=True, array_like=True, tag="wanted", gc=False):
    """The stream has a gap, or has not begun here: go on after `index`."""

    term: Term
    previous_index: Index
    """As in the request: what this answers."""
    index: Index


MultiPaxosMessage: TypeAlias = (
    Beat
    | BeatReply
    | Prepare
    | Promise
    | Refusal
    | Accept
    | Accepted
    | Wanted
    | CommitIndex
    | TimeoutNow
    | ReadIndex
    | ReadIndexReply
)
