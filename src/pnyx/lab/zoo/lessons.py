"""Family P: instances, forgetting and lost disks, in the lesson of multi-instance Paxos."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from dataclasses import replace
from functools import partial
from typing import Any, Final

from pnyx.consensus.instances import peer as peers, rejoining
from pnyx.consensus.instances.peer import Peer
from pnyx.consensus.paxos import (
    Accept,
    Accepted,
    Acceptor,
    Learner,
    Promise,
    Proposal,
    Proposer,
)
from pnyx.lab.lessons.host import Host
from pnyx.lab.lessons.node import Effects
from pnyx.lab.lessons.service import Request, Service
from pnyx.lab.zoo.mutant import Mutant, Patch, Patches, mutant

_instances = partial(mutant, scenario="MULTI-INSTANCE")
_one = partial(mutant, scenario="SINGLE-DECREE")


@_one(
    "P1-own-value-whatever-was-accepted",
    story="A proposer asks for its own value although an acceptor of its majority has accepted "
    "another, which may be chosen.",
    seen="the classic mutation of Paxos",
    caught_by=("one_value_per_instance",),
)
def _own_value() -> Patches:
    return [Patch(Proposer, "allowed", lambda self, _promises: self.value)]


@_one(
    "P2-accepting-promises-nothing",
    story="An acceptor that accepts in a ballot it never promised goes on to take lower ones.",
    seen="MyPaxos #19; CASSANDRA-17162",
    caught_by=("promise_and_acceptance_only_grow", "durable_before_told"),
)
def _accepting_promises_nothing() -> Patches:
    def accept(self: Acceptor, message: Accept) -> tuple[Acceptor, Accepted | None]:
        if message.proposal.ballot < self.promised:
            return self, None
        return replace(self, accepted=message.proposal), Accepted(message.proposal, self.me)

    return [Patch(Acceptor, "accept", accept)]


@_one(
    "P3-told-before-durable",
    story="A host sends what it has not written yet. After a crash it promises another ballot.",
    seen="the first rule of phxpaxos",
    caught_by=("durable_before_told",),
)
def _told_before_durable() -> Patches:
    was = Host._carry_out

    def carry_out(self: Host, effects: Effects) -> None:
        for parcel in effects.parcels:
            self._world.judge.sending(self, parcel)
            self._world.post(self.number, parcel)
        was(self, Effects(effects.rows))

    return [Patch(Host, "_carry_out", carry_out)]


@_one(
    "P4-acceptances-of-two-ballots-added",
    story="A learner counts acceptors of different ballots: what it learns was never chosen.",
    seen="the classic mutation of Paxos",
    caught_by=("learned_is_chosen", "one_value_per_instance"),
)
def _ballots_added() -> Patches:
    def accepted(self: Learner, message: Accepted) -> Learner:
        heard = self.heard | {message}
        if self.learned is None and len({one.acceptor for one in heard}) >= self.quorum:
            return Learner(self.quorum, learned=message.proposal.value)
        return self if self.learned is not None else replace(self, heard=heard)

    return [Patch(Learner, "accepted", accepted)]


@_one(
    "P5-second-proposal-in-a-ballot",
    story="A proposer goes on counting promises when it has asked already, and asks for the value "
    "of a late one in the same ballot.",
    seen="the classic mutation of Paxos",
    caught_by=("one_proposal_per_ballot", "one_value_per_instance"),
)
def _second_proposal() -> Patches:
    def promised(self: Proposer, promise: Promise) -> tuple[Proposer, Accept | None]:
        known = {one.acceptor for one in self.promises}
        if promise.ballot != self.ballot or promise.acceptor in known:
            return self, None
        promises = (*self.promises, promise)
        if len(promises) < self.quorum:
            return replace(self, promises=promises), None
        proposal = Proposal(self.ballot, self.allowed(promises))
        return replace(self, promises=promises, proposal=proposal), Accept(proposal)

    return [Patch(Proposer, "promised", promised)]


@_instances(
    "P6-forgets-what-a-majority-is-done-with",
    story="Instances are forgotten when a majority needs them no more. Who was away finds nobody "
    "that remembers.",
    seen="6.824's lab 3A, the first idea of many",
    caught_by=("forgotten_only_when_all_are_done",),
)
def _majority_is_done() -> Patches:
    def lowest(self: Peer) -> int:
        return 1 + sorted(self.done_by.values())[len(self.peers) - self.quorum]

    return [Patch(Peer, "min", property(lowest))]


@mutant(
    "P7-forgotten-instance-opened-again",
    story="Start looks up the instance, finds none and begins a new one, although it was decided "
    "and forgotten long ago.",
    seen="6.824's lab 3A, TestForgetMem",
    caught_by=("forgotten_stays_forgotten",),
    scenario="P-8",
)
def _opened_again() -> Patches:
    def start(self: Peer, seq: int, value: bytes) -> None:
        one = self._instance(seq)
        if one.value is None and one.proposer is None:
            one.proposer = Proposer(self._name, value, self.quorum)
            self._begin_round(one)

    return [Patch(Peer, "start", start)]


@_one(
    "P8-decided-instance-started-anew",
    story="Start of a decided instance throws away what was learned and asks again.",
    seen="6.824's lab 3A, TestDoneMax",
    caught_by=("learned_never_changes", "promise_and_acceptance_only_grow"),
)
def _started_anew() -> Patches:
    was = Peer.start

    def start(self: Peer, seq: int, value: bytes) -> None:
        for one in [one for one in self.instances.values() if one.value is not None]:
            one.learner = Learner(self.quorum)
        was(self, seq, value)

    return [Patch(Peer, "start", start)]


@mutant(
    "P9-votes-with-an-empty-disk",
    story="A peer whose disk was replaced takes part at once: it promises to one what its old "
    "disk has promised to another.",
    seen="6.824's lab 5 (diskv), what it is about",
    caught_by=("refilled_before_it_votes",),
    scenario="D-10",
)
def _votes_empty() -> Patches:
    return [Patch(Peer, "_rejoin", lambda _self: None)]


@mutant(
    "P10-refilled-by-one",
    story="A peer whose disk was replaced is content with one answer. What its old disk has "
    "helped to choose may be on none of those that answered.",
    seen="Viewstamped Replication, recovery with f answers",
    caught_by=("refilled_before_it_votes",),
    scenario="D-14",
)
def _refilled_by_one() -> Patches:
    was = rejoining.Rejoining

    def content(quorum: int, **more: Any) -> Any:
        del quorum
        return was(1, **more)

    return [Patch(peers, "Rejoining", content)]


@_instances(
    "P11-done-before-it-is-on-disk",
    story="A replica says that it is done with an instance when it has applied it in memory. "
    "Others forget it; after a crash it is nowhere.",
    seen="6.824's lab 5, a Done too early",
    caught_by=("applied_on_disk_before_done",),
)
def _done_too_early() -> Patches:
    was = Service._apply

    def apply(self: Service, value: bytes) -> None:
        was(self, value)
        self.peer.done(self.applied)

    return [Patch(Service, "_apply", apply)]


@_instances(
    "P12-retry-done-twice",
    story="A replica does a request again that was decided in an earlier instance already: its "
    "client had asked two replicas.",
    seen="6.824's lab 3B, TestUnreliable",
    caught_by=("replicas_are_equal", "scenario"),
)
def _done_twice() -> Patches:
    was = Service._perform

    def perform(self: Service, request: Request) -> bytes:
        self.sessions[request.client] = 0
        return was(self, request)

    return [Patch(Service, "_perform", perform)]


@_instances(
    "P13-read-past-the-instances",
    story="A replica answers a read from its own state without a decision: it may be cut off "
    "from what others have decided since.",
    seen="6.824's lab 3B, TestPartition",
    caught_by=("scenario",),
)
def _read_locally() -> Patches:
    was = Service._on_request

    def on_request(self: Service, place: int, request: Request) -> None:
        was(self, place, request)
        if request.kind == "get" and self.is_whole:
            self._waiting.pop(request.client, None)
            self._answer(place, request, self.values.get(request.key, b""))

    return [Patch(Service, "_on_request", on_request)]


@_instances(
    "P14-gap-skipped",
    story="A replica that misses an instance goes on with the next one it knows.",
    seen="RSMs over a log without order",
    caught_by=("replicas_are_equal",),
)
def _gap_skipped() -> Patches:
    was = Service._pump

    def pump(self: Service, now_ms: int) -> None:
        known = [seq for seq, one in self.peer.instances.items() if one.value is not None]
        later = [seq for seq in known if seq > self.applied]
        if later and self.is_whole:
            self.applied = min(later) - 1
        was(self, now_ms)

    return [Patch(Service, "_pump", pump)]


MUTANTS: Final[tuple[Mutant, ...]] = (
    _own_value,
    _accepting_promises_nothing,
    _told_before_durable,
    _ballots_added,
    _second_proposal,
    _majority_is_done,
    _opened_again,
    _started_anew,
    _votes_empty,
    _refilled_by_one,
    _done_too_early,
    _done_twice,
    _read_locally,
    _gap_skipped,
)
