"""The contract of a consensus core. Raft and Multi-Paxos are two objects behind it.

Plain and synchronous: never awaits, never reads a clock, entropy or disk. Whoever owns one calls,
in any order and from one task, the methods below, and carries out what `ready` returns. `now_ms`
is a monotone clock; going back is an assertion. Nothing is callable from inside another call.
"""

from typing import Any, Protocol

from pnyx.consensus.membership import Membership
from pnyx.consensus.ready import Mark, Position, Ready, Refused, Role
from pnyx.ids import Index, NodeId, Term


class Consensus(Protocol):
    """One member of one group."""

    @property
    def role(self) -> Role: ...

    @property
    def term(self) -> Term:
        """The newest term heard of; perhaps not durable yet."""
        ...

    @property
    def leader(self) -> NodeId | None:
        """The leader of the current term as far as known here, possibly this node itself."""
        ...

    @property
    def membership(self) -> Membership:
        """The newest membership in the log, committed or not."""
        ...

    @property
    def outgoing(self) -> tuple[NodeId, ...]:
        """The voters whose majority is still needed though a change leaves them behind.

        Longer than the newest membership is joint: until what ends the change is committed, a
        leader to come may lack it.
        """
        ...

    @property
    def commit_index(self) -> Index: ...

    @property
    def last_index(self) -> Index: ...

    @property
    def durable_index(self) -> Index:
        """The newest entry of the log that is durable here."""
        ...

    @property
    def stalled(self) -> bool:
        """Has a write been outstanding for longer than any election timeout?"""
        ...

    @property
    def compacted(self) -> Mark:
        """The boundary the log starts after."""
        ...

    @property
    def log_bytes(self) -> int:
        """Payload bytes of all entries above `compacted`."""
        ...

    @property
    def deadline_ms(self) -> int:
        """When `tick` is wanted next, on the monotone clock."""
        ...

    def step(self, sender: NodeId, message: Any, now_ms: int) -> None:
        """Take in a message of this engine from `sender`."""
        ...

    def tick(self, now_ms: int) -> None:
        """`deadline_ms` has passed (calling earlier does nothing)."""
        ...

    def campaign(self, now_ms: int) -> None:
        """Stand for election now instead of at the timeout (formation's first election)."""
        ...

    def propose(self, payload: bytes, now_ms: int) -> Position | Refused:
        """Append one entry of commands, or refuse without any effect."""
        ...

    def read_barrier(self, ticket: int, now_ms: int) -> None:
        """Ask for the index a linearizable read must wait for; the answer is a `ReadRelease`.

        Works on every member: a follower asks the leader. Every barrier is answered, at the
        latest one election timeout later (then refused).
        """
        ...

    def change_membership(self, target: Membership, now_ms: int) -> Position | Refused:
        """Begin to make `target`, which is not joint, the membership; or refuse without effect.

        Other voters are reached through a joint membership: the position is that of the joint
        one, and whoever leads when it is committed appends `target` by itself. Otherwise the
        position is that of `target`. A change is over when a membership is committed that is
        not joint; whether it is this one, its position tells. A leader that `target` does not
        list leads until then, hands over and steps down.

        Refused for: not leader, transferring, stalled, change under way, nothing committed in
        this term, no voters, voter and learner at once, unknown node (who is to vote must be a
        member already, so that it can have caught up), nothing to change.
        """
        ...

    def transfer_leadership(self, to: NodeId | None, now_ms: int) -> bool:
        """Start handing leadership to `to` (None: the most up-to-date voter).

        Returns False if this node does not lead, or `to` is not another voter that stays one.
        """
        ...

    def compact(self, index: Index) -> None:
        """Drop entries up to `index`, which is applied and durable in the space.

        Those that were held back from a peer stay until it was sent them (member/thrift.py).
        """
        ...

    def snapshot_installed(self, mark: Mark, membership: Membership, now_ms: int) -> None:
        """The space now holds the state at `mark`. Never called at or below the commit index."""
        ...

    def snapshot_sent(self, peer: NodeId, mark: Mark | None, now_ms: int) -> None:
        """`peer` installed a snapshot at `mark`; None: the stream failed."""
        ...

    def peer_alive(self, peer: NodeId, now_ms: int) -> None:
        """Something else than consensus was heard from `peer` (a snapshot chunk's reply)."""
        ...

    def peer_unreachable(self, peer: NodeId) -> None:
        """The link to `peer` broke: what was in flight is lost."""
        ...

    def persisted(self, write_id: int, now_ms: int) -> None:
        """That write, and all before it, is durable."""
        ...

    def quiet_beat(self, now_ms: int) -> Any | None:
        """Return a leader's heartbeat that is due, if it is all there is to say to all peers.

        It counts as sent. None: nothing was done, `tick` and `ready` say what there is to say.
        """
        ...

    def quiet_heard(self, sender: NodeId, said: Any, now_ms: int) -> bool:
        """Take in a heartbeat of `sender` if answering it is all that follows; else do nothing."""
        ...

    def quiet_answered(
        self, sender: NodeId, term: Term, heartbeat_round: int, now_ms: int
    ) -> Any | None:
        """Take in the answer to a heartbeat if nothing else follows; else return it, to `step`."""
        ...

    def match_indexes(self) -> dict[NodeId, Index]:
        """On the leader: the last index known durable on each peer, sorted by id; else empty."""
        ...

    def ready(self) -> Ready | None:
        """Return everything there is to do, or None. What it hands out counts as taken."""
        ...
