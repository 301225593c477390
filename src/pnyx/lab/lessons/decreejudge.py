"""The judge of multi-instance Paxos: it believes disks and what leaves, nobody's word."""

from dataclasses import dataclass, field
from typing import Final

from pnyx.consensus.instances.instance import Instance
from pnyx.consensus.instances.messages import (
    Accept,
    Learned,
    Letter,
    Noted,
    Prepare,
    Promised,
    Refused,
    Taken,
)
from pnyx.consensus.instances.peer import Peer
from pnyx.consensus.instances.record import Closed, Open
from pnyx.consensus.paxos import NO_BALLOT, Ballot, Proposal, Value
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.lessons import verdicts
from pnyx.lab.lessons.decrees import STANDING, Decrees, record_in, seq_of, standing_in
from pnyx.lab.lessons.host import Host
from pnyx.lab.lessons.judge import Judge
from pnyx.lab.lessons.node import Effects, Node, Parcel
from pnyx.lab.lessons.service import Service
from pnyx.lab.values import shown

VALUE_CHARACTERS: Final = 24
SCAN_EVENTS: Final = 100
"""Every instance is looked at after so many events; what an event writes, at once."""


@dataclass(slots=True)
class _Disk:
    """What is past for ever on one disk."""

    promised: dict[int, Ballot] = field(default_factory=dict)
    accepted: dict[int, Ballot] = field(default_factory=dict)
    closed: dict[int, Value] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    is_cleared: bool = True
    """May its peer vote? A disk that replaced another: not before it is refilled."""


class DecreeJudge(Judge):
    """Watches one run."""

    def __init__(self) -> None:
        self.marks = Marks()
        self.chosen: dict[int, Value] = {}
        """By instance, what a majority accepted in one ballot, or somebody learned."""
        self._proposals: dict[tuple[int, Ballot], Value] = {}
        self._accepted: dict[tuple[int, Ballot], set[int]] = {}
        self._values: dict[int, set[Value]] = {}
        self._disks: dict[tuple[int, int], _Disk] = {}
        self._learned: dict[int, dict[int, Value]] = {}
        """By host, of this life."""
        self._done: dict[int, int] = {}
        self._min: dict[int, int] = {}
        self._heard_of: dict[tuple[int, int], set[int]] = {}
        """By host and disk, who ever had on disk that there is this disk."""
        self._changed: list[int] = []
        """Instances whose rows the event wants to write."""
        self._touches = 0
        self._asked: dict[int, int] = {}
        """By host, effects that are not durable."""

    # What the world says.

    def started(self, host: Host) -> None:
        """A life begins: what it knows is what its disk knew."""
        self._learned[host.number] = {}
        self._asked[host.number] = 0
        disk = self._disk(host)
        self._min[host.number] = peer_of(host).min
        if host.rows.disk and not disk.closed and STANDING not in host.rows.held:
            disk.is_cleared = False
        if host.life > 1:
            self.marks.hit(verdicts.BALLOT_ONCE.sometimes)

    def ended(self, host: Host) -> None:
        """A life is over."""
        if self._asked[host.number]:
            self.marks.hit(verdicts.DURABLE_FIRST.sometimes)

    def asked(self, host: Host, effects: Effects) -> None:
        """Rows are on their way."""
        self._asked[host.number] += bool(effects.rows)
        self._changed += [seq for key, _ in effects.rows if (seq := seq_of(key)) is not None]

    def durable(self, host: Host, effects: Effects) -> None:
        """A disk may only say more."""
        self._asked[host.number] -= bool(effects.rows)
        disk = self._disk(host)
        for key, row in effects.rows:
            seq = seq_of(key)
            if seq is not None:
                self._write(host, disk, seq, row)
            elif key == STANDING and row is not None:
                for node, birth in standing_in(row).births.items():
                    self._heard_of.setdefault((node, birth), set()).add(host.number)

    def sending(self, host: Host, parcel: Parcel) -> None:
        """What leaves is on disk; what it makes chosen is chosen once."""
        if not isinstance(parcel.message, Letter):
            return
        message = parcel.message.message
        disk = self._disk(host)
        match message:
            case Prepare(seq=seq, ballot=ballot) | Promised(seq=seq, ballot=ballot):
                self._check_cleared(host, disk)
                self._check_promise(host, disk, seq, ballot)
            case Accept(seq=seq, proposal=proposal):
                self._check_cleared(host, disk)
                self._propose(host, seq, proposal)
                self._accept(host, disk, seq, proposal.ballot)
            case Taken(seq=seq, ballot=ballot):
                self._check_cleared(host, disk)
                self._accept(host, disk, seq, ballot)
            case Learned():
                self.marks.hit(verdicts.LEARNED_STAYS.sometimes)
            case Noted(seq=seq) if seq in disk.forgotten:
                self.marks.hit(verdicts.FORGOTTEN_STAYS.sometimes)
            case Refused():
                self.marks.hit(verdicts.NOTHING_TAKEN_BACK.sometimes)
            case _:
                pass

    def touched(self, host: Host) -> None:
        """Look at what the event changed, and now and then at everything."""
        peer = peer_of(host)
        learned = self._learned[host.number]
        self._touches += 1
        seqs = self._changed if self._touches % SCAN_EVENTS else list(peer.instances)
        for seq in seqs:
            one = peer.instances.get(seq)
            if one is not None and (one.value is not None or seq in learned):
                self._check_learned(host, seq, one, learned)
        self._changed = []
        self._check_done(host, peer)
        if peer.min != self._min[host.number]:
            self.marks.hit(verdicts.ALL_ARE_DONE.sometimes)
            self._min[host.number] = peer.min
            for seq in [seq for seq in learned if seq < peer.min]:
                del learned[seq]

    def finish(self) -> None:
        """Look at everything once more."""
        for host in self.world.hosts.values():
            if host.node is not None:
                self._touches = SCAN_EVENTS - 1
                self.touched(host)

    # Inside.

    def _disk(self, host: Host) -> _Disk:
        return self._disks.setdefault((host.number, host.rows.disk), _Disk())

    def _write(self, host: Host, disk: _Disk, seq: int, row: bytes | None) -> None:
        if row is None:
            disk.forgotten.add(seq)
            return
        if seq in disk.forgotten:
            raise verdicts.FORGOTTEN_STAYS.broken(
                f"n{host.number} has forgotten instance {seq} and writes of it again"
            )
        match record_in(row):
            case Closed(value=value):
                disk.closed[seq] = value
            case Open(promised=promised, accepted=accepted):
                ballot = accepted.ballot if accepted else NO_BALLOT
                before = disk.promised.get(seq, NO_BALLOT), disk.accepted.get(seq, NO_BALLOT)
                if promised < before[0] or ballot < before[1] or seq in disk.closed:
                    raise verdicts.NOTHING_TAKEN_BACK.broken(
                        f"n{host.number} had promised {_ballot(before[0])} and accepted in "
                        f"{_ballot(before[1])} in instance {seq}; now it is "
                        f"{_ballot(promised)} and {_ballot(ballot)}"
                    )
                if ballot > promised:
                    raise verdicts.NOTHING_TAKEN_BACK.broken(
                        f"n{host.number} accepts in ballot {_ballot(ballot)} of instance {seq} "
                        f"and has promised no more than {_ballot(promised)}: a ballot between "
                        "may come after it"
                    )
                disk.promised[seq], disk.accepted[seq] = promised, ballot

    def _check_promise(self, host: Host, disk: _Disk, seq: int, ballot: Ballot) -> None:
        is_past = seq in disk.closed or seq in disk.forgotten
        if disk.promised.get(seq, NO_BALLOT) < ballot and not is_past:
            raise verdicts.DURABLE_FIRST.broken(
                f"n{host.number} promises ballot {_ballot(ballot)} of instance {seq}; "
                f"its disk has promised {_ballot(disk.promised.get(seq, NO_BALLOT))}"
            )

    def _propose(self, host: Host, seq: int, proposal: Proposal) -> None:
        value = self._proposals.setdefault((seq, proposal.ballot), proposal.value)
        if value != proposal.value:
            raise verdicts.BALLOT_ONCE.broken(
                f"n{host.number} proposes {_value(proposal.value)} in ballot "
                f"{_ballot(proposal.ballot)} of instance {seq}, in which {_value(value)} was "
                "proposed before"
            )

    def _accept(self, host: Host, disk: _Disk, seq: int, ballot: Ballot) -> None:
        is_past = seq in disk.closed or seq in disk.forgotten
        if disk.accepted.get(seq, NO_BALLOT) < ballot and not is_past:
            raise verdicts.DURABLE_FIRST.broken(
                f"n{host.number} says that it accepted in ballot {_ballot(ballot)} of instance "
                f"{seq}; its disk says {_ballot(disk.accepted.get(seq, NO_BALLOT))}"
            )
        by = self._accepted.setdefault((seq, ballot), set())
        by.add(host.number)
        value = self._proposals[seq, ballot]
        values = self._values.setdefault(seq, set())
        values.add(value)
        if len(values) > 1:
            self.marks.hit(verdicts.ONE_VALUE.sometimes)
        if len(by) * 2 > len(self.world.hosts):
            self._choose(seq, value, f"a majority accepted it in ballot {_ballot(ballot)}")

    def _choose(self, seq: int, value: Value, why: str) -> None:
        before = self.chosen.setdefault(seq, value)
        if before != value:
            raise verdicts.ONE_VALUE.broken(
                f"instance {seq} was decided as {_value(before)}, and now as {_value(value)}: {why}"
            )

    def _check_learned(
        self, host: Host, seq: int, one: Instance, learned: dict[int, Value]
    ) -> None:
        value, before = one.value, learned.get(seq)
        if value is before:
            return
        if value is None or (before is not None and before != value):
            now = "nothing" if value is None else _value(value)
            raise verdicts.LEARNED_STAYS.broken(
                f"n{host.number} knew {_value(before or b'')} in instance {seq} and knows {now} now"
            )
        learned[seq] = value
        self._choose(seq, value, f"n{host.number} has learned it")
        counts = [
            len(by)
            for (where, ballot), by in self._accepted.items()
            if where == seq and self._proposals[where, ballot] == value
        ]
        if 2 * max(counts, default=0) <= len(self.world.hosts):
            raise verdicts.MAJORITY_CHOSE.broken(
                f"n{host.number} has learned {_value(value)} in instance {seq}; at most "
                f"{max(counts, default=0)} peers have accepted it in one ballot"
            )
        if max(counts) < len(self.world.hosts):
            self.marks.hit(verdicts.MAJORITY_CHOSE.sometimes)

    def _check_done(self, host: Host, peer: Peer) -> None:
        own = peer.done_by[peer.me]
        self._done[host.number] = max(self._done.get(host.number, -1), own)
        lowest = min(self._done.get(number, -1) for number in self.world.hosts)
        if peer.min > lowest + 1:
            needing = [n for n in self.world.hosts if self._done.get(n, -1) == lowest]
            raise verdicts.ALL_ARE_DONE.broken(
                f"n{host.number} forgets all below {peer.min}; n{needing[0]} is done with "
                f"{lowest} only"
            )

    def _check_cleared(self, host: Host, disk: _Disk) -> None:
        if disk.is_cleared:
            return
        told = self._heard_of.get((host.number, host.rows.disk), set()) - {host.number}
        if len(told) * 2 <= len(self.world.hosts):
            raise verdicts.REFILLED_FIRST.broken(
                f"n{host.number} lost its disk and votes; only {len(told)} others "
                "have on disk that it has a new one"
            )
        disk.is_cleared = True
        self.marks.hit(verdicts.REFILLED_FIRST.sometimes)


def peer_of(host: Host) -> Peer:
    """Return the peer on a host that runs."""
    return peer_in(host.node)


def peer_in(node: Node | None) -> Peer:
    """Return the peer of a node, with a service on it or not."""
    assert isinstance(node, Decrees | Service), "a host of this lesson has a peer while it runs"
    return node.peer


def _ballot(ballot: Ballot) -> str:
    return f"{ballot.round}.{ballot.node}"


def _value(value: Value) -> str:
    return shown(value, characters_max=VALUE_CHARACTERS)
