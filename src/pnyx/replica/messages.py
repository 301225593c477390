"""What replicas of one group, and nodes about groups, say to each other besides consensus."""

from typing import Final, TypeAlias

import msgspec

from pnyx.consensus import engines
from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.messages import Beat
from pnyx.consensus.raft.messages import Heartbeat
from pnyx.consensus.ready import Mark
from pnyx.ids import GroupId, NodeId, Term
from pnyx.machine.commands import AnyCommand
from pnyx.machine.configuration import Configuration, Directory
from pnyx.replica.requests import Answer


class Forward(msgspec.Struct, frozen=True, array_like=True, tag="forward"):
    """To the leader: do this for a client of mine. The hop limit is one: never sent on."""

    boot: int
    """The asker's start, so that an answer to an earlier life is dropped."""
    number: int
    commands: tuple[AnyCommand, ...]
    by_log: bool
    stale: bool = False
    """See `Request`; such a one need not go to the leader."""


class ForwardReply(msgspec.Struct, frozen=True, array_like=True, tag="forward_reply"):
    """Leader to follower: the answer. `Elsewhere` and `NotDone` say that nothing was done."""

    boot: int
    number: int
    answer: Answer


class SnapshotChunk(msgspec.Struct, frozen=True, array_like=True, tag="snapshot_chunk"):
    """Leader to a peer whose next entry is gone: the `number`-th piece of the state at `mark`."""

    transfer: int
    """Names this stream: a chunk of another one is never mixed in."""
    mark: Mark
    membership: Membership
    number: int
    """From 0, without gaps."""
    rows: tuple[tuple[bytes, bytes], ...]
    last: bool
    checksum: int
    """crc32c of all keys and values, in order."""


class SnapshotReply(msgspec.Struct, frozen=True, array_like=True, tag="snapshot_reply"):
    """The receiver's state of a stream; sent after each chunk and when the install ends."""

    transfer: int
    mark: Mark
    wanted: int
    """The next chunk's number; the sender goes on from here, wherever it was."""
    installed: bool = False
    refused: bool = False
    """The receiver does not need it (its commit index is past the mark) or cannot take it."""


class SpaceReport(msgspec.Struct, frozen=True, array_like=True, tag="space_report"):
    """Follower to leader: my disk is nearly full. Repeated while it is so."""


class Join(msgspec.Struct, frozen=True, array_like=True, tag="join"):
    """Newcomer to everybody it knows, once a second until it is heard: I want to hold `label`.

    The leader makes it a learner, and lets it take the place of the node that holds the label
    once that one was silent for long.
    """

    label: str


class Retired(msgspec.Struct, frozen=True, array_like=True, tag="retired"):
    """To a node that was a member once and is none any more: stop. Its message was dropped."""

    names: tuple[tuple[str, NodeId], ...]
    """Who holds which label now, sorted by label."""


class Subscribe(msgspec.Struct, frozen=True, array_like=True, tag="subscribe", gc=False):
    """To a member of the controller, about once a second: tell me what you know beyond this.

    It sends `News` at once if it knows more, and from then on with each change, for a few seconds.
    """

    number: int
    """The newest configuration known."""
    moved: int
    """How far the shards have come; see `Atlas`."""


class News(msgspec.Struct, frozen=True, array_like=True, tag="news"):
    """The controller's maps, as one of its members has applied them."""

    configuration: Configuration
    directory: Directory
    members: tuple[NodeId, ...]
    """Who the controller's members are now."""


QuietBeat: TypeAlias = Heartbeat | Beat
"""A leader's, of a group that runs Raft or Multi-Paxos."""


class Beats(msgspec.Struct, frozen=True, array_like=True, tag="beats", gc=False):
    """The heartbeats of many groups in which nothing else happens, by one node that leads them."""

    beats: tuple[tuple[GroupId, QuietBeat], ...]


class BeatsHeard(msgspec.Struct, frozen=True, array_like=True, tag="beats_heard", gc=False):
    """The answers to those, of the groups in which the answer is all that follows."""

    heard: tuple[tuple[GroupId, Term, int], ...]
    """Group, term, and the round that is answered."""


ReplicaMessage: TypeAlias = (
    Forward
    | ForwardReply
    | SnapshotChunk
    | SnapshotReply
    | SpaceReport
    | Join
    | Retired
    | Subscribe
    | News
    | Beats
    | BeatsHeard
)

BULK: Final = engines.BULK | {Forward, ForwardReply, SnapshotChunk, News}
"""What can be large takes the bulk lane; all that elections and reads wait for, the other."""
