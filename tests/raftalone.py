"""One Raft member on a table: hand it messages, see what it says. Its disk is quick unless held."""

from typing import Any

from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.start import Start
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    PreVoteReply,
    RequestVoteReply,
)
from pnyx.consensus.raft.raft import Raft
from pnyx.consensus.ready import Delayed, Entry, HardState, Mark, RecoveredLog, Role, Write
from pnyx.ids import Index, NodeId, Term
from pnyx.prng import Prng
from raftworld import entries

ME = NodeId(1)


class Alone:
    """Member 1 of `size`. Says what it sends, in order, as (to, message)."""

    def __init__(
        self,
        *log: int,
        term: int | None = None,
        voted_for: int | None = None,
        size: int = 3,
        compacted: Mark | None = None,
        membership: Membership | None = None,
        settings: MemberSettings | None = None,
        applied: int = 0,
        seed: int = 1,
    ) -> None:
        mark = compacted or Mark()
        last_term = log[-1] if log else mark.term
        self.now_ms = 1000
        self.settings = settings or MemberSettings()
        self.writes: list[Write] = []
        self.applied: list[Entry] = []
        self.reads: dict[int, Index | None] = {}
        self.snapshots: list[NodeId] = []
        self.waiting: list[Delayed] = []
        self.disk_held = False
        self.raft = Raft(
            Start(
                me=ME,
                membership=membership or Membership(tuple(NodeId(n) for n in range(1, size + 1))),
                settings=self.settings,
                prng=Prng(seed),
                now_ms=self.now_ms,
                boot=77,
                recovered=RecoveredLog(
                    HardState(
                        Term(last_term if term is None else term),
                        None if voted_for is None else NodeId(voted_for),
                    ),
                    mark,
                    list(entries(*log, after=mark.index)),
                ),
                applied=Index(max(applied, mark.index)),
            )
        )

    def says(self) -> list[tuple[NodeId, Any]]:
        """Carry out everything it asks for, and return what it sends."""
        said: list[tuple[NodeId, Any]] = []
        while (ready := self.raft.ready()) is not None:
            said += [(one.to, one.message) for one in ready.send]
            self.waiting += ready.send_when_durable
            self.applied += ready.committed
            self.reads |= {release.ticket: release.index for release in ready.reads}
            self.snapshots += ready.snapshots
            if ready.write is not None:
                self.writes.append(ready.write)
                if not self.disk_held:
                    said += self._persist(ready.write.write_id)
        return said

    def syncs(self, write_id: int | None = None) -> list[tuple[NodeId, Any]]:
        """The disk answers: all writes up to `write_id` are durable."""
        return [*self._persist(write_id or self.writes[-1].write_id), *self.says()]

    def hears(self, sender: int, message: Any) -> list[tuple[NodeId, Any]]:
        self.raft.step(NodeId(sender), message, self.now_ms)
        return self.says()

    def waits(self, ms: int) -> list[tuple[NodeId, Any]]:
        """Time passes, and only then it looks at the clock."""
        self.now_ms += ms
        self.raft.tick(self.now_ms)
        return self.says()

    def waits_for_its_deadline(self) -> list[tuple[NodeId, Any]]:
        return self.waits(self.raft.deadline_ms - self.now_ms)

    def stands(self) -> list[tuple[NodeId, Any]]:
        """Become a candidate: everybody else would vote."""
        self.raft.campaign(self.now_ms)
        said = self.says()
        for voter, request in said:
            if self.raft.role is not Role.PRE_CANDIDATE:
                break
            said = self.hears(voter, PreVoteReply(request.term, request.campaign_term, True))
        return said

    def leads(self, *, agreeing: bool = True) -> "Alone":
        """Become leader; if `agreeing`, every peer holds the whole log."""
        requests = self.stands()
        for voter, request in requests:
            if self.raft.role is Role.CANDIDATE:
                self.hears(voter, RequestVoteReply(request.term, True))
        assert self.raft.role is Role.LEADER
        if agreeing:
            for peer in self.raft.match_indexes():
                self.hears(peer, AppendEntriesReply(self.raft.term, self.raft.last_index))
        return self

    def proposes(self, payload: bytes = b"x") -> list[tuple[NodeId, Any]]:
        self.raft.propose(payload, self.now_ms)
        return self.says()

    def is_role(self, role: Role) -> bool:
        return self.raft.role is role

    @property
    def log(self) -> list[int]:
        """The terms of the entries it holds."""
        held = self.raft._state.log
        return [
            held.mark_at(Index(index)).term
            for index in range(held.compacted.index + 1, held.last_index + 1)
        ]

    def _persist(self, write_id: int) -> list[tuple[NodeId, Any]]:
        self.raft.persisted(write_id, self.now_ms)
        left = [one.envelope for one in self.waiting if one.write_id <= write_id]
        self.waiting = [one for one in self.waiting if one.write_id > write_id]
        return [(one.to, one.message) for one in left]


def append(term: int, after: tuple[int, int], *terms: int, commit: int = 0) -> AppendEntries:
    """An append message whose entries of `terms` follow the position `after` (index, term)."""
    return AppendEntries(
        Term(term),
        Index(after[0]),
        Term(after[1]),
        entries(*terms, after=after[0]),
        Index(commit),
    )


def of_type(said: list[tuple[NodeId, Any]], *kinds: type) -> list[tuple[NodeId, Any]]:
    return [(to, message) for to, message in said if isinstance(message, kinds)]
