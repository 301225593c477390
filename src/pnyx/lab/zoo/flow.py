"""Family G: messages that stop, requests that nobody answers, effects that happen twice."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from pnyx.consensus.member import transfer
from pnyx.consensus.member.progress import Progress
from pnyx.consensus.member.state import MemberState
from pnyx.consensus.raft import raft as door
from pnyx.consensus.raft.messages import AppendEntriesRefusal, HeartbeatReply, PreVote, RaftMessage
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import RecoveredLog
from pnyx.errors import PnyxError
from pnyx.ids import GroupId, NodeId
from pnyx.lab import boarding
from pnyx.lab.zoo import sessions
from pnyx.lab.zoo.mutant import Absent, Mutant, Patch, Patches, mutant
from pnyx.machine.commands import Append
from pnyx.machine.group import Group
from pnyx.machine.transactions import COMMANDS
from pnyx.replica.forwards import Asker, Forwards
from pnyx.replica.messages import Forward
from pnyx.replica.proposals import Proposal, Proposals
from pnyx.replica.requests import Request
from pnyx.storage.agreement import agreed as as_agreed
from pnyx.storage.recovery import Recovered
from pnyx.storage.wal import Wal


@mutant(
    "G1-lost-window-never-opens",
    story="The window of messages in flight is full and all of them are lost. Nothing is sent any "
    "more, since only an answer would make room.",
    seen="etcd #14633",
    caught_by=("nodes_converge", "core_serves", "requests_answered"),
)
def _lost_window_never_opens() -> Patches:
    def answered(progress: Progress, heartbeat_round: int) -> None:
        progress.acked_round = max(progress.acked_round, heartbeat_round)

    return [Patch(Progress, "answered", answered)]


@mutant(
    "G5-late-refusal-taken-for-a-lost-log",
    story="A refusal that arrives late is taken for a sign that the follower has lost its log, and "
    "the leader forgets what was acknowledged.",
    seen="openraft #1500",
    caught_by=("match_never_falls",),
)
def _late_refusal_taken_for_a_lost_log() -> Patches:
    was = door._ON[AppendEntriesRefusal]

    def on_refusal(raft: RaftState, sender: NodeId, message: AppendEntriesRefusal) -> None:
        progress = raft.peers.get(sender)
        if progress is not None and message.previous_index <= progress.match:
            progress.match = min(progress.match, message.hint_index)
        was(raft, sender, message)

    return [Patch(door._ON, AppendEntriesRefusal, on_refusal)]


@mutant(
    "G6-poison-command",
    story="One command makes applying raise. The node stops, starts, replays its log and stops "
    "again, and so do all others.",
    seen="jraft #1246; PySyncObj",
    caught_by=("leader_elected", "core_serves", "nodes_converge"),
)
def _poison_command() -> Patches:
    was = COMMANDS[Append]

    def append(keyspace: Any, command: Append) -> Any:
        if b".13." in command.value[:12]:
            raise PnyxError("a command cannot be applied")
        return was(keyspace, command)

    return [Patch(COMMANDS, Append, append)]


@mutant(
    "G7-transfer-never-given-up",
    story="A transfer of leadership whose target does not answer is never given up, and the leader "
    "refuses proposals for ever.",
    seen="hashicorp/raft #696, #493; redpanda #24404",
    caught_by=("core_serves",),
)
def _transfer_never_given_up() -> Patches:
    def expire(_raft: RaftState) -> bool:
        return False

    return [Patch(transfer, "expire", expire)]


@mutant(
    "G8-proposals-never-resolved",
    story="Whoever waits for a proposal of a leader that was deposed is told nothing, ever.",
    seen="hashicorp/raft #498; etcd #9566",
    caught_by=("answered_in_time",),
)
def _proposals_never_resolved() -> Patches:
    def overdue(_proposals: Proposals, _now_ms: int) -> Iterator[Proposal]:
        return iter(())

    return [Patch(Proposals, "overdue", overdue)]


@mutant(
    "G9-heartbeat-waits-for-the-disk",
    story="The answer to a heartbeat waits behind the big append before it. A follower with a slow "
    "disk looks dead, and its leader gives up.",
    seen="jraft #969; etcd #9939",
    caught_by=("heartbeats_wait_for_terms_only",),
)
def _heartbeat_waits_for_the_disk() -> Patches:
    was = MemberState.promise

    def promise(raft: RaftState, write_id: int, to: NodeId, message: RaftMessage) -> None:
        if isinstance(message, HeartbeatReply):
            write_id = raft.writes.id_for_entries(raft.log.last_index)
        was(raft, write_id, to, message)

    return [Patch(MemberState, "promise", promise)]


@mutant(
    "G10-lost-tail-accepted",
    story="A follower comes back without the end of its log, which it had acknowledged, and takes "
    "part as if nothing had happened.",
    seen="openraft's allow_log_reversion, t60 and t61",
    caught_by=("recovery_is_exact",),
)
def _lost_tail_accepted() -> Patches:
    def agreed(recovered: Recovered, state: Group, log: Wal, group: GroupId) -> RecoveredLog:
        found = as_agreed(recovered, state, log, group)
        last = found.entries[-1].index if found.entries else 0
        if last > state.applied.index:
            return replace(found, entries=found.entries[:-1])
        return found

    return [Patch(boarding, "agreed", agreed)]


@mutant(
    "G11-refused-candidate-resets-timers",
    story="A message that is refused resets the election timer. A candidate that cannot win keeps "
    "asking, and keeps those who could from standing.",
    seen="a slip of many implementations; see Raft Fig. 2, rules for followers",
    caught_by=("timers_move_for_a_reason", "leader_elected", "core_serves"),
)
def _refused_candidate_resets_timers() -> Patches:
    was = door._ON[PreVote]

    def on_pre_vote(raft: RaftState, sender: NodeId, message: PreVote) -> None:
        raft.election_deadline_ms = raft.now_ms + raft.election_ms
        was(raft, sender, message)

    return [Patch(door._ON, PreVote, on_pre_vote)]


@mutant(
    "G12-repeated-request-runs-again",
    story="A request that reaches the leader twice runs twice: nobody remembers that it was there.",
    seen="Raft thesis 6.3",
    caught_by=("no_request_twice",),
)
def _repeated_request_runs_again() -> Patches:
    def taken(_forwards: Forwards, sender: NodeId, message: Forward) -> tuple[Request, ...]:
        asker = Asker(sender, message.boot, message.number)
        return (Request(asker, message.commands, message.by_log, forward=False),)

    return [Patch(Forwards, "taken", taken)]


MUTANTS: Final[tuple[Mutant | Absent, ...]] = (
    _lost_window_never_opens,
    _late_refusal_taken_for_a_lost_log,
    _poison_command,
    _transfer_never_given_up,
    _proposals_never_resolved,
    _heartbeat_waits_for_the_disk,
    _lost_tail_accepted,
    _refused_candidate_resets_timers,
    _repeated_request_runs_again,
    sessions.AGAIN,
)
