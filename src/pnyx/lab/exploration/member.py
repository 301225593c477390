"""One node of an exploration: its core, its disk, what is under way, and what a step does to it.

A step is carried out as the node's driver would: the core is told, and asked at once what to do.
What a step does depends on this member alone; search and graph rely on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import PreVote, RaftMessage, RequestVote
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.ready import Delayed, HardState, Role, Write
from pnyx.ids import NodeId
from pnyx.lab.exploration.checks import (
    OWN_ASSERTION,
    Broken,
    applied_too_early,
    led_badly,
    left_too_early,
    vote_in,
    voted_again,
)
from pnyx.lab.exploration.cores import SETTINGS, copied, renumbered, started, told_apart
from pnyx.lab.exploration.facts import Durable, Facts, Flight


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message arrives."""

    sender: NodeId
    message: RaftMessage
    is_late: bool = False
    """Later than `election_ms_min` after the leader was last heard: loyalty is over."""


@dataclass(frozen=True, slots=True)
class Sync:
    """The oldest writes become durable, at once."""

    count: int


@dataclass(frozen=True, slots=True)
class TimeOut:
    """The election timer fires; on a leader: nobody was heard for an election timeout."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The leader's heartbeat timer fires, or a candidate asks again whoever was silent."""


@dataclass(frozen=True, slots=True)
class Propose:
    """A client's command comes in."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Crash:
    """The process dies; what is not durable is gone."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The process starts from what is durable."""


Happening: TypeAlias = Deliver | Sync | TimeOut | Beat | Propose | Crash | Restart


@dataclass(frozen=True, slots=True)
class Member:
    """Everything that is one node's own."""

    node: NodeId
    membership: Membership
    core: Raft | None = None
    """None while it is down."""
    durable: Durable = field(default_factory=Durable)
    pending: tuple[Write, ...] = ()
    """Asked for and not durable, oldest first."""
    delayed: tuple[Delayed, ...] = ()
    said: HardState = field(default_factory=HardState)
    """The last vote that left this member, whatever it remembers of it."""

    def told_apart(self) -> tuple[Any, ...]:
        """Return what two members must share to behave alike."""
        core = None if self.core is None else told_apart(self.core)
        return (core, self.durable, self.pending, self.delayed, self.said)

    def facts(self) -> Facts:
        """Return what checks and goals look at."""
        if self.core is None:
            hard_state, log = self.durable.hard_state, self.durable.entries
            return Facts(
                self.node, False, Role.FOLLOWER, hard_state.term, hard_state.voted_for,
                log, self.durable, 0,
            )  # fmt: skip
        state = self.core.state
        log = state.log.page(
            state.log.compacted.index, state.log.last_index, len(state.log), state.log.bytes
        )
        return Facts(
            self.node, True, state.role, state.term, state.voted_for,
            log, self.durable, state.commit_index,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class After:
    """What a step made of a member."""

    member: Member
    sent: tuple[Flight, ...] = ()
    broken: Broken | None = None


def fresh(node: NodeId, membership: Membership, durable: Durable) -> Member:
    """Return a member that has just started."""
    core = started(node, membership, durable.hard_state, durable.entries)
    assert core.ready() is None, "a new member has nothing to do"
    return Member(node, membership, core, durable)


def could_happen(member: Member) -> tuple[Happening, ...]:
    """Return what may happen here without a message or a command, in a fixed order."""
    if member.core is None:
        return (Restart(),)
    writes = len(member.pending)
    # One at a time, or all at once: a group commit.
    syncs = tuple(Sync(count) for count in sorted({min(1, writes), writes} - {0}))
    beats = () if member.core.role is Role.FOLLOWER else (Beat(),)
    return (*syncs, TimeOut(), *beats, Crash())


def could_be_late(member: Member, message: RaftMessage) -> bool:
    """Might it matter how long ago this member heard its leader?"""
    core = member.core
    is_loyal = core is not None and core.leader is not None and core.role is not Role.LEADER
    return is_loyal and isinstance(message, (PreVote, RequestVote))


def stepped(member: Member, happening: Happening) -> After:
    """Let something happen to a member; `member` itself stays as it is."""
    match happening:
        case Crash():
            return After(replace(member, core=None, pending=(), delayed=()))
        case Restart():
            hard_state, entries = member.durable.hard_state, member.durable.entries
            core = started(member.node, member.membership, hard_state, entries)
            return _carried_out(replace(member, core=core), core, (), _nothing)
        case Sync(count=count):
            return _synced(member, count)
        case _:
            assert member.core is not None, "nothing happens to a member that is down"
            return _carried_out(member, copied(member.core), (), _ACTS[type(happening)](happening))


def _nothing(_core: Raft) -> None:
    pass


_ACTS: Final[dict[type, Callable[[Any], Callable[[Raft], object]]]] = {
    Deliver: lambda one: (
        lambda core: core.step(
            one.sender, one.message, SETTINGS.election_ms_min if one.is_late else 0
        )
    ),
    Propose: lambda one: lambda core: core.propose(one.payload, 0),
    Beat: lambda _: lambda core: core.tick(SETTINGS.heartbeat_ms),
    TimeOut: lambda _: (
        lambda core: core.tick(
            SETTINGS.election_ms_max if core.role is Role.LEADER else SETTINGS.election_ms_min
        )
    ),
}


def _synced(member: Member, count: int) -> After:
    assert member.core is not None, "a member that is down writes nothing"
    core, durable = copied(member.core), member.durable
    for write in member.pending[:count]:
        durable = durable.after(write)
    last_id = member.pending[count - 1].write_id
    released = tuple(
        Flight(member.node, one.envelope.to, one.envelope.message)
        for one in member.delayed
        if one.write_id <= last_id
    )
    waiting = tuple(one for one in member.delayed if one.write_id > last_id)
    started_from = replace(member, durable=durable, pending=member.pending[count:], delayed=waiting)
    return _carried_out(started_from, core, released, lambda raft: raft.persisted(last_id, 0))


def _carried_out(
    member: Member, core: Raft, released: tuple[Flight, ...], act: Callable[[Raft], object]
) -> After:
    try:
        act(core)
        ready = core.ready()
    except AssertionError as error:
        return After(member, (), Broken(OWN_ASSERTION, f"{member.node}: {error}"))
    pending, delayed, sent = member.pending, member.delayed, released
    broken = None
    if ready is not None:
        assert not ready.snapshots, "nothing is compacted in an exploration"
        pending += (ready.write,) if ready.write else ()
        delayed += ready.send_when_durable
        sent += tuple(Flight(member.node, one.to, one.message) for one in ready.send)
        broken = applied_too_early(member.node, member.durable, ready.committed)
    said = member.said
    for flight in sent:
        broken = broken or left_too_early(member.durable, flight)
        vote = vote_in(flight)
        if vote is not None:
            broken = broken or voted_again(member.node, said, vote)
            said = vote
    pending, delayed = renumbered(core, pending, delayed)
    after = replace(member, core=core, pending=pending, delayed=delayed, said=said)
    return After(after, sent, broken or led_badly(member.facts(), after.facts()))
