"""Which engine a group runs, and what all else must know of it: how it starts, what it says."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from pnyx.consensus.membership import Membership
from pnyx.consensus.multipaxos.messages import Accept, MultiPaxosMessage, Promise
from pnyx.consensus.multipaxos.multipaxos import MultiPaxos
from pnyx.consensus.raft.messages import AppendEntries, RaftMessage
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.raft.settings import RaftSettings
from pnyx.consensus.ready import Entry, HardState, Mark
from pnyx.ids import Index, NodeId, Term
from pnyx.prng import Prng


class EngineName(StrEnum):
    """What is recorded in a data directory: never renamed."""

    RAFT = "raft"
    MULTIPAXOS = "multipaxos"


Engine: TypeAlias = Raft | MultiPaxos
EngineMessage: TypeAlias = RaftMessage | MultiPaxosMessage

BULK: Final[frozenset[type]] = frozenset({AppendEntries, Accept, Promise})
"""Messages that can be large: what elections and reads wait for must not queue behind them."""


def start(
    name: EngineName,
    *,
    me: NodeId,
    membership: Membership,
    settings: RaftSettings,
    prng: Prng,
    now_ms: int,
    boot: int,
    hard_state: HardState,
    accepted: Term,
    entries: Sequence[Entry],
    compacted: Mark,
    applied: Index,
) -> Engine:
    """Return a member of a group, from what recovery found; see the engines for the arguments.

    `accepted` is Multi-Paxos' alone, and 0 in a log that Raft wrote.
    """
    if name is EngineName.MULTIPAXOS:
        return MultiPaxos(
            me=me,
            membership=membership,
            settings=settings,
            prng=prng,
            now_ms=now_ms,
            boot=boot,
            hard_state=hard_state,
            accepted=accepted,
            entries=entries,
            compacted=compacted,
            applied=applied,
        )
    assert not accepted, "this log was written by Multi-Paxos"
    return Raft(
        me=me,
        membership=membership,
        settings=settings,
        prng=prng,
        now_ms=now_ms,
        boot=boot,
        hard_state=hard_state,
        entries=entries,
        compacted=compacted,
        applied=applied,
    )
