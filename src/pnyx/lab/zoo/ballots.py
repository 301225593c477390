"""Family H: promises, acceptances and ballots, on Multi-Paxos."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from functools import partial
from typing import Any, Final

from pnyx.consensus.engines import EngineName
from pnyx.consensus.member import members
from pnyx.consensus.member.start import Start
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.multipaxos import acceptor, election, multipaxos as door
from pnyx.consensus.multipaxos.leader import lead
from pnyx.consensus.multipaxos.messages import Accept, Accepted, Promise
from pnyx.consensus.multipaxos.multipaxos import MultiPaxos
from pnyx.consensus.multipaxos.state import MultiPaxosState
from pnyx.consensus.multipaxos.suffix import Suffix
from pnyx.consensus.ready import Role
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.zoo.mutant import Mutant, Patch, Patches, mutant
from pnyx.lab.zoo.reads import read_at_once

_paxos = partial(mutant, consensus=EngineName.MULTIPAXOS)


def _let_through(kind: type) -> Patches:
    """Look at messages of `kind` whatever their round."""
    was = MultiPaxos._level

    def level(self: MultiPaxos, sender: NodeId, message: Any) -> bool:
        return isinstance(message, kind) or was(self, sender, message)

    return [Patch(MultiPaxos, "_level", level)]


@_paxos(
    "H1-promise-not-durable",
    story="Promises and acceptances leave before they are on disk. After a crash the acceptor "
    "promises another ballot, and what its word had helped to choose is chosen over again.",
    seen="the first rule of phxpaxos",
    caught_by=("durable_before_sent",),
)
def _promise_not_durable() -> Patches:
    was = MemberState.promise

    def promise(self: MemberState, write_id: int, to: NodeId, message: Any) -> None:
        if isinstance(message, Promise | Accepted):
            self.post(to, message)
        else:
            was(self, write_id, to, message)

    return [Patch(MemberState, "promise", promise)]


@_paxos(
    "H2-accepting-promises-nothing",
    story="An acceptor accepts in a higher ballot and keeps its old promise, so it accepts in the "
    "ballots between as well.",
    seen="MyPaxos #19; CASSANDRA-17162",
    caught_by=("nothing_below_the_promise", "durable_before_sent", "assertion"),
)
def _accepting_promises_nothing() -> Patches:
    return _let_through(Accept)


@_paxos(
    "H3-ballot-used-again-after-restart",
    story="A restarted node stands in the round that it had promised itself, not in the next one: "
    "promises given to its former life count for its new one.",
    seen="phxpaxos #145",
    caught_by=("ballot_used_once",),
)
def _ballot_used_again() -> Patches:
    was = election.stand
    stood: set[int] = set()

    def stand(paxos: MultiPaxosState) -> None:
        if paxos.reads.boot not in stood and paxos.voted_for == paxos.me:
            paxos.term = Term(paxos.term - 1)
        stood.add(paxos.reads.boot)
        was(paxos)

    return [Patch(election, "stand", stand), Patch(acceptor, "stand", stand)]


@_paxos(
    "H4-promise-of-an-earlier-ballot-counted",
    story="A late promise of an earlier ballot is counted for the present one: a leader whom no "
    "quorum has promised anything.",
    seen="MyPaxos #18",
    caught_by=("highest_accepted", "leader_completeness", "committed_stays"),
)
def _earlier_promise_counted() -> Patches:
    return _let_through(Promise)


@_paxos(
    "H6-longest-log-adopted",
    story="A candidate takes the longest log of its quorum, not the one accepted in the highest "
    "ballot. What was chosen since the longer one was written is overwritten.",
    seen="omnipaxos 974b7ff, 1ea102f, b67716a",
    caught_by=("highest_accepted", "leader_completeness", "committed_stays"),
)
def _longest_log_adopted() -> Patches:
    was = door._ON[Promise]

    def on_promise(paxos: MultiPaxosState, sender: NodeId, message: Promise) -> None:
        if message.last_index <= paxos.log.last_index:
            nothing = (Term(0), Index(0), message.commit_index, Index(0), ())
            message = Promise(message.term, *nothing)
        was(paxos, sender, message)

    return [Patch(door._ON, Promise, on_promise)]


@_paxos(
    "H7-recovered-leader-leads-on",
    story="A leader that comes back from a crash leads on in its old ballot, without asking what "
    "its quorum has accepted meanwhile.",
    seen="omnipaxos, the round of a recovered server",
    caught_by=("ballot_used_once", "highest_accepted", "leader_completeness", "assertion"),
)
def _recovered_leader_leads_on() -> Patches:
    was = MultiPaxos.__init__

    def begin(self: MultiPaxos, start: Start) -> None:
        was(self, start)
        if self._state.voted_for == self._state.me:
            lead(self._state)

    return [Patch(MultiPaxos, "__init__", begin)]


@_paxos(
    "H8-whoever-hears-no-leader-takes-over",
    story="A node that does not hear the leader takes over although its neighbours do. Two nodes "
    "that cannot hear each other depose each other for ever.",
    seen="omnipaxos #1",
    caught_by=("takes_over_only_if_needed",),
)
def _hearing_nobody_is_enough() -> Patches:
    return [Patch(election, "sees_happy", lambda _paxos: False)]


@_paxos(
    "H9-gap-in-the-stream-not-told",
    story="A follower that misses a part of the stream drops what comes after it and says nothing. "
    "Its leader sends on and on, and the follower is behind for ever.",
    seen="omnipaxos, tests of reconnection",
    caught_by=("nodes_converge", "core_serves", "requests_answered"),
)
def _gap_not_told() -> Patches:
    was = door._ON[Accept]

    def on_accept(paxos: MultiPaxosState, sender: NodeId, message: Accept) -> None:
        is_gap = message.previous_index > paxos.log.last_index
        if not (is_gap and paxos.accepted == message.term and paxos.role is Role.FOLLOWER):
            was(paxos, sender, message)

    return [Patch(door._ON, Accept, on_accept)]


@_paxos(
    "H10-chosen-change-forgotten",
    story="A change of members is chosen and nobody does what follows from it, since whoever "
    "appended it leads no more: the group stays between two memberships.",
    seen="omnipaxos, tests of dropped stop signs",
    caught_by=("change_finishes", "removed_leader_leaves"),
)
def _chosen_change_forgotten() -> Patches:
    return [Patch(members, "tend", lambda _leading: None)]


@_paxos(
    "H12-acceptances-of-two-ballots-added",
    story="A new leader counts what its peers had accepted in an older ballot as accepted in its "
    "own: a value is taken for chosen that no quorum accepted in any one ballot.",
    seen="the classic mutation of Paxos",
    caught_by=("match_is_durable", "committed_on_a_durable_majority"),
)
def _acceptances_added() -> Patches:
    def leads(paxos: MultiPaxosState) -> None:
        told = dict(paxos.promised)
        lead(paxos)
        for peer, progress in paxos.peers.items():
            if peer in told and told[peer].accepted == paxos.adopted:
                progress.match = min(told[peer].last_index, paxos.log.last_index)

    return [Patch(election, "lead", leads)]


@_paxos(
    "H13-half-prepared",
    story="A candidate leads as soon as it has a quorum's promises, before it has all of the log "
    "that came with them: it proposes at positions that it never prepared.",
    seen="Multi-Paxos without no-ops for the gaps",
    caught_by=("highest_accepted", "leader_completeness", "committed_stays", "assertion"),
)
def _half_prepared() -> Patches:
    return [Patch(Suffix, "is_whole", property(lambda _suffix: True))]


@_paxos(
    "H14-read-before-the-adopted-log-is-chosen",
    story="A new leader answers reads before the log that it adopted is chosen in its ballot. It "
    "does not know yet what its predecessor told clients, so acknowledged writes are missing.",
    seen="etcd #7331, on the other engine",
    caught_by=("reads_are_current",),
)
def _read_before_chosen() -> Patches:
    return read_at_once()


@_paxos(
    "H15-promises-by-the-candidates-own-members",
    story="A candidate counts promises by the members that its own old log knows, not by those at "
    "the end of the log it adopts: a quorum of voters that were replaced proves nothing.",
    seen="the stop-sign rule of omnipaxos, left out",
    caught_by=("highest_accepted", "leader_completeness", "committed_stays", "one_leader_per_term"),
)
def _promises_by_old_members() -> Patches:
    return [Patch(election, "_membership", lambda paxos: paxos.log.membership)]


MUTANTS: Final[tuple[Mutant, ...]] = (
    _promise_not_durable,
    _accepting_promises_nothing,
    _ballot_used_again,
    _earlier_promise_counted,
    _longest_log_adopted,
    _recovered_leader_leads_on,
    _hearing_nobody_is_enough,
    _gap_not_told,
    _chosen_change_forgotten,
    _acceptances_added,
    _half_prepared,
    _read_before_chosen,
    _promises_by_old_members,
)
