"""Which engine a group runs, and what all else must know of it: how it starts, what it says."""

from enum import StrEnum
from typing import Final, TypeAlias

from pnyx.consensus.multipaxos.messages import Accept, MultiPaxosMessage, Promise
from pnyx.consensus.multipaxos.multipaxos import MultiPaxos
from pnyx.consensus.raft.messages import AppendEntries, RaftMessage
from pnyx.consensus.raft.raft import Raft


class EngineName(StrEnum):
    """What is recorded in a data directory: never renamed."""

    RAFT = "raft"
    MULTIPAXOS = "multipaxos"


Engine: TypeAlias = Raft | MultiPaxos
EngineMessage: TypeAlias = RaftMessage | MultiPaxosMessage

ENGINES: Final[dict[EngineName, type[Engine]]] = {
    EngineName.RAFT: Raft,
    EngineName.MULTIPAXOS: MultiPaxos,
}
"""They start from the same: what recovery found."""

BULK: Final[frozenset[type]] = frozenset({AppendEntries, Accept, Promise})
"""Messages that can be large: what elections and reads wait for must not queue behind them."""
