"""Family B: when an entry is committed, and who may be told so."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pnyx.consensus import quorum
from pnyx.consensus.member import following, leading, members, stream
from pnyx.consensus.member.progress import Flow, Progress
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.member.stream import Written
from pnyx.consensus.membership import Membership
from pnyx.consensus.quorum import reached
from pnyx.consensus.raft import election, leader, raft as door
from pnyx.consensus.raft.messages import AppendEntries, AppendEntriesRefusal, AppendEntriesReply
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Entry, Role
from pnyx.ids import GroupId, Index, NodeId, Term
from pnyx.lab.hands import Hands
from pnyx.lab.seat import Seat
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant
from pnyx.machine.results import OK
from pnyx.replica.effects import Outbound
from pnyx.replica.proposals import Proposal, Proposals
from pnyx.replica.replica import Replica
from pnyx.replica.requests import Done


@mutant(
    "B1-older-terms-counted",
    story="A leader commits an entry of an earlier term as soon as a majority holds it. A later "
    "leader that never had it may still overwrite it.",
    seen="Raft thesis, figure 3.7; logcabin #44",
    caught_by=("own_term_commits",),
)
def _older_terms_counted() -> Patches:
    def maybe_commit(raft: RaftState) -> None:
        held = {peer: progress.match for peer, progress in raft.peers.items()}
        held[raft.me] = raft.writes.durable_index
        index = Index(reached(held, raft.log.membership))
        if index > raft.commit_index:
            raft.commit_to(index)
            members.tend(raft)

    return [Patch(leader, "maybe_commit", maybe_commit)]


@mutant(
    "B2-heartbeat-commits-unmatched",
    story="A heartbeat carries the leader's commit index instead of min(match, commit), and the "
    "follower takes it: whatever stale entries it holds there count as committed.",
    seen="the rule is in etcd and in raft.tla",
    caught_by=("committed_stays", "indexes_in_order", "state_machine_safety"),
)
def _heartbeat_commits_unmatched() -> Patches:
    def committed_there(raft: RaftState, _progress: Progress) -> tuple[Index, Term]:
        return raft.commit_index, raft.term

    def commit_if_held(raft: RaftState, index: Index, _term: Term) -> None:
        raft.commit_to(min(index, raft.log.last_index))

    return [
        Patch(leading, "committed_there", committed_there),
        Patch(following, "commit_if_held", commit_if_held),
    ]


@mutant(
    "B3-commits-up-to-own-end",
    story="A follower commits up to min(leader's commit, its own last index), not the last index "
    "that was verified. Probes are empty there, as in many systems, so that one that agrees with "
    "the log cuts nothing: a tail of another leader behind it becomes committed.",
    seen="rabbitmq/ra #508; aioraft-ng; PySyncObj's chunked snapshots",
    caught_by=("committed_stays", "state_machine_safety"),
)
def _commits_up_to_own_end() -> Patches:
    was_on, was_sent = door._ON[AppendEntries], stream.send_entries

    def on_append_entries(raft: RaftState, sender: NodeId, message: AppendEntries) -> None:
        agrees = raft.log.term_at(message.previous_index) == message.previous_term
        was_on(raft, sender, message)
        if agrees:
            raft.commit_to(min(message.commit_index, raft.log.last_index))

    def send_entries(
        raft: RaftState,
        peer: NodeId,
        progress: Progress,
        appends: dict[Index, Any],
        written: Written[RaftState],
    ) -> None:
        is_probe = progress.flow is Flow.PROBE and progress.next > raft.log.compacted.index
        if is_probe and not progress.paused:
            mark = raft.log.mark_at(Index(progress.next - 1))
            appends = {
                progress.next: AppendEntries(
                    raft.term, mark.index, mark.term, (), raft.commit_index
                )
            }
        was_sent(raft, peer, progress, appends, written)

    return [
        Patch(door._ON, AppendEntries, on_append_entries),
        Patch(stream, "send_entries", send_entries),
    ]


@mutant(
    "B4-acknowledgement-of-earlier-term",
    story="An acknowledgement that waited for the disk is stamped with the term in which it "
    "leaves, and goes to who leads then: it tells a new leader what an earlier one had sent.",
    seen="openraft cecb5de8, fbbf37b1; PySyncObj's next_node_idx has no term",
    caught_by=(
        "durable_before_sent",
        "match_is_durable",
        "committed_on_a_durable_majority",
    ),
)
def _acknowledgement_of_earlier_term() -> Patches:
    was = Hands.send

    def send(hands: Hands, group: GroupId, outbounds: Sequence[Outbound]) -> None:
        seat = hands._process.seats[group]
        was(hands, group, [_stamped_anew(seat, outbound) for outbound in outbounds])

    return [Patch(Hands, "send", send)]


def _stamped_anew(seat: Seat, outbound: Outbound) -> Outbound:
    message, replica = outbound.message, seat.replica
    if not isinstance(message, AppendEntriesReply):
        return outbound
    leader, term = replica.consensus.leader, replica.consensus.term
    if leader is None or message.term >= term:
        return outbound
    return Outbound(leader, msgspec.structs.replace(message, term=term))


@mutant(
    "B6-match-raised-by-refusal",
    story="A refusal's hint is taken for what the follower holds. The hint only says where the "
    "logs could agree: the leader counts entries that are another's.",
    seen="raft.tla #18; PySyncObj #166, #167",
    caught_by=("match_is_durable", "committed_on_a_durable_majority"),
)
def _match_raised_by_refusal() -> Patches:
    was = door._ON[AppendEntriesRefusal]

    def on_refusal(raft: RaftState, sender: NodeId, message: AppendEntriesRefusal) -> None:
        was(raft, sender, message)
        progress = raft.peers.get(sender)
        if progress is not None and message.hint_index <= raft.log.last_index:
            progress.acknowledge(message.hint_index)
            leader.maybe_commit(raft)

    return [Patch(door._ON, AppendEntriesRefusal, on_refusal)]


@mutant(
    "B7-commit-goes-back",
    story="The commit index follows every message, also an older one, and goes back: what was "
    "applied is no longer committed.",
    seen="raft.tla #18; PySyncObj #166, #167",
    caught_by=("indexes_in_order", "assertion"),
)
def _commit_goes_back() -> Patches:
    was = MemberState.commit_to

    def commit_to(raft: RaftState, index: Index) -> None:
        if index < raft.commit_index and raft.role is not Role.LEADER:
            raft.commit_index = index
        else:
            was(raft, index)

    return [Patch(MemberState, "commit_to", commit_to)]


@mutant(
    "B8-half-is-a-quorum",
    story="A quorum of an even number is counted as a half: two halves decide without each other.",
    seen="hashicorp/raft 163a55f; async-raft d60f1e85",
    caught_by=(
        "committed_on_a_durable_majority",
        "election_safety",
        "leader_completeness",
        "pre_vote",
    ),
)
def _half_is_a_quorum() -> Patches:
    def _reached_by_majority(values: Mapping[NodeId, int], voters: tuple[NodeId, ...]) -> int:
        ascending = sorted([values.get(voter, quorum.NOTHING) for voter in voters])
        return ascending[len(voters) // 2] if voters else quorum.NOTHING

    def _verdict(votes: Mapping[NodeId, bool], voters: tuple[NodeId, ...]) -> bool | None:
        majority = (len(voters) + 1) // 2
        yes = sum(1 for voter in voters if votes.get(voter) is True)
        no = sum(1 for voter in voters if votes.get(voter) is False)
        if yes >= majority:
            return True
        return False if len(voters) - no < majority else None

    return [
        Patch(quorum, "_reached_by_majority", _reached_by_majority),
        Patch(quorum, "_verdict_of_majority", _verdict),
    ]


@mutant(
    "B9-success-by-index-only",
    story="A client is told that its write is done when some entry commits at its index, although "
    "another leader's entry stands there and the write is gone.",
    seen="aioraft-ng's _wait_for_commit",
    caught_by=("done_means_committed", "results_follow_the_log"),
)
def _success_by_index_only() -> Patches:
    was_committed, was_applied = Proposals.committed, Replica._apply
    wrong: list[Proposal] = []

    def committed(
        proposals: Proposals, index: Index, term: Term
    ) -> tuple[Proposal | None, list[Proposal]]:
        done, superseded = was_committed(proposals, index, term)
        wrong.extend(superseded)
        return done, []

    def _apply(replica: Replica, entries: Sequence[Entry]) -> None:
        was_applied(replica, entries)
        for proposal in wrong:
            for request in proposal.requests:
                replica._answers.give(request, Done((OK,) * len(request.commands)))
        wrong.clear()

    return [Patch(Proposals, "committed", committed), Patch(Replica, "_apply", _apply)]


@mutant(
    "B11-joint-quorum-of-the-union",
    story="While the membership is joint, one majority of all nodes together is taken for a "
    "quorum. It may hold no majority of the old voters, or none of the new.",
    seen="etcd, testdata joint_commit",
    caught_by=("committed_on_a_durable_majority", "pre_vote", "election_safety"),
)
def _joint_quorum_of_the_union() -> Patches:
    was_reached, was_verdict = quorum.reached, quorum.verdict

    def union(membership: Membership) -> Membership:
        return Membership(tuple(sorted({*membership.voters, *membership.outgoing})))

    def reached_by_union(values: Mapping[NodeId, int], membership: Membership) -> int:
        return was_reached(values, union(membership))

    def verdict(votes: Mapping[NodeId, bool], membership: Membership) -> bool | None:
        return was_verdict(votes, union(membership))

    return [
        Patch(leader, "reached", reached_by_union),
        Patch(leading, "reached", reached_by_union),
        Patch(election, "verdict", verdict),
    ]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    _older_terms_counted,
    _heartbeat_commits_unmatched,
    _commits_up_to_own_end,
    _acknowledgement_of_earlier_term,
    _match_raised_by_refusal,
    _commit_goes_back,
    _half_is_a_quorum,
    _success_by_index_only,
    _joint_quorum_of_the_union,
)
