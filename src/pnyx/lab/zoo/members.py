"""Family E: who counts, from when on, and who must never come back."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from collections.abc import Sequence
from typing import Final

import msgspec

from pnyx.consensus.member import members
from pnyx.consensus.member.log import Log
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.membership import Membership
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Position, Refused
from pnyx.ids import Index, NodeId
from pnyx.lab.process import Process
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant
from pnyx.replica.upkeep import Upkeep


@mutant(
    "E1-one-step-before-own-commit",
    story="A new leader changes one voter in one step before an entry of its own term is "
    "committed. Its quorum and that of an earlier leader's unfinished change need not meet.",
    seen="Ongaro, raft-dev, July 2015; axon #120; aioraft-ng",
    caught_by=(
        "committed_on_a_durable_majority",
        "leader_completeness",
        "committed_stays",
        "own_commit_before_change",
    ),
)
def _one_step_before_own_commit() -> Patches:
    was = members._why_not_now

    def _why_not_now(raft: RaftState) -> str:
        began, raft.term_start = raft.term_start, Index(0)
        try:
            return was(raft)
        finally:
            raft.term_start = began

    def change(raft: RaftState, target: Membership) -> Position | Refused:
        present = raft.log.membership
        reason = _why_not_now(raft) or members._why_not(present, target)
        if reason:
            return Refused(reason)
        moved = sorted(set(target.voters) ^ set(present.voters))[:1]
        voters = tuple(sorted(set(present.voters) ^ set(moved)))
        learners = tuple(sorted({*present.learners, *moved} - set(voters)))
        if not voters:
            return Refused("no voters")
        return members._append(
            raft, msgspec.structs.replace(present, voters=voters, learners=learners)
        )

    return [Patch(members, "change", change)]


@mutant(
    "E2-membership-not-rolled-back",
    story="The log is cut below an uncommitted change of members, and the change stays in force: "
    "the node counts quorums that nobody agreed on.",
    seen="canonical/raft #250; scylla #30936; camunda #57393; aioraft-ng",
    caught_by=("membership_follows_log",),
)
def _membership_not_rolled_back() -> Patches:
    was = Log.cut

    def cut(log: Log, index: Index) -> None:
        held = log.membership
        was(log, index)
        log.membership = held

    return [Patch(Log, "cut", cut)]


@mutant(
    "E3-snapshot-of-an-uncommitted-change",
    story="A snapshot names the newest membership of its sender's log instead of the one at its "
    "mark. Its receiver takes a change for committed that may still be cut.",
    seen="openraft t31, t32",
    caught_by=("snapshot_equals_replay", "membership_follows_log"),
)
def _snapshot_of_an_uncommitted_change() -> Patches:
    was = Upkeep.stream_to

    def stream_to(upkeep: Upkeep, peers: Sequence[NodeId], now_ms: int) -> None:
        was(upkeep, peers, now_ms)
        newest = upkeep.consensus.membership
        for position, outbound in enumerate(upkeep.outbox):
            if outbound.to in peers:
                chunk = msgspec.structs.replace(outbound.message, membership=newest)
                upkeep.outbox[position] = msgspec.structs.replace(outbound, message=chunk)
                upkeep.sender.streams[outbound.to].chunk = chunk

    return [Patch(Upkeep, "stream_to", stream_to)]


@mutant(
    "E4-joint-for-ever",
    story="Only the leader that began a change ends it. If another one leads when the joint "
    "membership is committed, the group stays joint for ever.",
    seen="etcd bd3c759, #12136, 477ebd8",
    caught_by=("change_finishes", "assertion"),
)
def _joint_for_ever() -> Patches:
    was = members.tend

    def tend(raft: RaftState) -> None:
        log = raft.log
        if not log.membership.outgoing or log.term_at(log.membership_index) == raft.term:
            was(raft)

    return [Patch(members, "tend", tend)]


@mutant(
    "E6-removed-leader-stays",
    story="A leader that is no voter any more goes on leading: everybody follows a node that "
    "nobody may vote for.",
    seen="etcd, testdata confchange_v1_remove_leader",
    caught_by=("removed_leader_leaves", "change_finishes"),
)
def _removed_leader_stays() -> Patches:
    def is_removed(_raft: RaftState) -> bool:
        return False

    return [Patch(members, "is_removed", is_removed)]


@mutant(
    "E7-learner-takes-office",
    story="A learner that has caught up stands like a voter, before its promotion is in force.",
    seen="openraft #1805, #1808",
    caught_by=("leader_is_voter", "change_finishes"),
)
def _learner_takes_office() -> Patches:
    def may_stand(raft: RaftState) -> bool:
        return raft.log.membership.has(raft.me)

    return [Patch(MemberState, "may_stand", may_stand)]


@mutant(
    "E9-id-used-again-on-an-empty-disk",
    story="A machine whose disk was lost comes back under its old id. It has forgotten its votes "
    "and its log, and votes and counts as if it had not.",
    seen="a rule: ids are never used again",
    caught_by=("recovery_is_exact", "term_and_vote_kept", "nodes_converge"),
)
def _id_used_again_on_an_empty_disk() -> Patches:
    def wipe(process: Process) -> None:
        process.disk.wipe()
        process.identity = msgspec.structs.replace(process.identity, started=False)

    return [Patch(Process, "wipe", wipe)]


@mutant(
    "E10-second-change-accepted",
    story="A change of members is accepted while another is under way. The old voters that the "
    "first still needs are forgotten.",
    seen="etcd's issue #456 on the guard in its TLA+ model, and TestStepIgnoreConfig",
    caught_by=(
        "one_change_at_a_time",
        "committed_on_a_durable_majority",
        "leader_completeness",
        "assertion",
    ),
)
def _second_change_accepted() -> Patches:
    was = members._why_not_now

    def _why_not_now(raft: RaftState) -> str:
        reason = was(raft)
        return "" if reason == "change under way" else reason

    return [Patch(members, "_why_not_now", _why_not_now)]


@mutant(
    "E11-who-is-leaving-does-not-stand",
    story="A node does not stand for election once its removal is in its log, committed or not. If "
    "its log is the only one that can win, nobody ever does.",
    seen="etcd #12359",
    caught_by=("leader_elected", "core_serves"),
)
def _who_is_leaving_does_not_stand() -> Patches:
    def may_stand(raft: RaftState) -> bool:
        return raft.me in raft.log.membership.voters

    return [Patch(MemberState, "may_stand", may_stand)]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    _one_step_before_own_commit,
    _membership_not_rolled_back,
    _snapshot_of_an_uncommitted_change,
    _joint_for_ever,
    _removed_leader_stays,
    _learner_takes_office,
    _id_used_again_on_an_empty_disk,
    _second_change_accepted,
    _who_is_leaving_does_not_stand,
)
