"""Clean runs are clean, and every invariant fires when exactly that is broken."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest

import pnyx.consensus.raft.raft as door
from lab.storms import SMALL_LOGS, Storm, storm
from pnyx.consensus.member.settings import MemberSettings
from pnyx.consensus.member.writes import Writes
from pnyx.consensus.membership import Membership
from pnyx.consensus.quorum import reached
from pnyx.consensus.raft import election, follower, leader
from pnyx.consensus.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    Heartbeat,
    RequestVote,
    RequestVoteReply,
)
from pnyx.consensus.raft.roles import Event, change_role
from pnyx.consensus.raft.state import RaftState
from pnyx.consensus.ready import Entry, EntryKind, HardState, Mark, RecoveredLog, Role, Write
from pnyx.ids import Index, NodeId, Term
from pnyx.lab.faults import Fault, FaultKind, begin
from pnyx.lab.invariants.catalogue import INVARIANTS, MARKS, OF_BALLOTS, OF_SESSIONS
from pnyx.lab.invariants.invariant import Marks
from pnyx.lab.invariants.shadow import Shadow
from pnyx.lab.workload import WorkloadSettings
from pnyx.lab.zoo.pinned import PINNED
from pnyx.machine.commands import Batch, Set, encode
from pnyx.machine.group import Group
from pnyx.replica.parking import Parking
from pnyx.storage.agreement import agreed

Patch = pytest.MonkeyPatch
COLLIDING = MemberSettings(election_ms_min=300, election_ms_max=303)
"""Nodes that time out together stand against each other."""
BUSY = WorkloadSettings(clients=6, think_us=30_000, reads=0.1)
PADDED = WorkloadSettings(clients=2, think_us=50_000, reads=0.2, keys=20, padding_bytes=100)


@pytest.fixture(scope="module")
def storms() -> list[Storm]:
    """Ten stormy runs, half of them with slow disks and logs that are soon compacted."""
    runs = []
    for seed in range(1, 11):
        changes: dict[str, Any] = {"raft": COLLIDING}
        if seed % 2:
            changes = {"limits": SMALL_LOGS, "load": PADDED, "sync_us": 40_000}
        run = storm(seed, 3 if seed % 3 else 5, **changes)
        run.run()
        runs.append(run)
    return runs


def test_stormy_runs_are_clean(storms: list[Storm]) -> None:
    for run in storms:
        assert run.world.violation is None, run.seed
        assert run.invariants.record.count > 30
        assert run.marks.counts["write_done"] > 10


def test_the_interesting_situations_are_reached(storms: list[Storm]) -> None:
    marks = Marks()
    for run in storms:
        marks.add(run.marks)
    # These need other faults than a storm has: changes of members, hung and wiped disks, expiry.
    elsewhere = {
        "membership_rolled_back",
        "joint_membership",
        "learner_promoted",
        "leader_removed",
        "node_wiped",
        "node_failed",
        "leader_stalled_disk",
        "leadership_handed_over",
        "proposal_superseded",
        "read_by_log",
        "vote_refused_to_a_shorter_log",
        # And these another engine (test_multipaxos.py).
        "log_accepted_whole",
        "log_adopted",
        "restart_after_a_ballot",
        "neighbour_is_happy",
        # And these clients with sessions (test_sessions.py).
        *(each.sometimes.name for each in OF_SESSIONS),
    }
    assert set(marks.never(MARKS)) <= elsewhere
    assert marks.counted() == tuple(sorted(marks.counts.items()))


def test_a_hung_disk_and_a_wiped_one_are_noticed_and_nothing_breaks() -> None:
    run = Storm(5, 3).begin()
    leads = run.leader
    run.at(1.5, lambda: run.world.hang_disk(leads().number))
    for number in run.world.processes:
        run.at(3, partial(run.world.release_disk, number))
        run.at(4, partial(run.world.restart, number))
    run.at(3.5, lambda: run.world.wipe(run.follower().number))
    assert run.run(5) is None
    assert "leader_stalled_disk" in run.marks.counts


def test_a_change_of_members_is_followed_and_its_marks_are_reached() -> None:
    run = Storm(3, 3).begin()

    def remove() -> None:
        for lead in run.world.leaders():
            assert lead.replica is not None
            present = lead.replica.consensus.membership
            rest = tuple(node for node in present.voters if node != lead.node)
            lead.recast(msgspec.structs.replace(present, voters=rest))

    run.at(2, remove)
    assert run.run(5) is None
    assert {"joint_membership", "leader_removed"} <= set(run.marks.counts)


def test_what_happens_behind_the_judges_back_is_named_as_that() -> None:
    run = Storm(3, 3).begin()

    def cheat() -> None:
        leads = run.leader()
        assert leads.replica is not None
        leads.replica.consensus.propose(b"", leads.now().mono_ms)
        run.invariants.scan()

    run.at(2, cheat)
    violation = run.run(3)
    assert violation is not None
    assert "a replica changes in events of its own node only" in violation.sentence


@pytest.mark.parametrize("kind", FaultKind)
def test_no_fault_changes_a_replica_behind_the_judges_back(kind: FaultKind) -> None:
    """Swarm seed 1182: one put an entry into a leader's log, and log matching was blamed."""
    run = Storm(3, 3).begin()

    def hurt() -> None:
        leads = run.leader().number
        other = run.follower().number
        begin(run.world, Fault(kind, run.world.now_us, 1_000, (leads, other), 1 << 7))
        run.invariants.scan()

    run.at(1, hurt)
    assert run.run(1.05) is None


def test_a_vote_is_kept_by_being_on_disk_or_by_a_later_term() -> None:
    # Seed 21675: a vote and the next candidacy went to disk in one write.
    votes = {Term(4): NodeId(7)}
    shadow = Shadow(hard_state=HardState(Term(5), None), votes=votes)
    assert shadow.is_bound(Term(4), NodeId(7))
    assert shadow.is_bound(Term(4), NodeId(8)), "it votes in that term no more"
    assert not shadow.is_bound(Term(5), NodeId(7))
    shadow.hard_state = HardState(Term(6), NodeId(4))
    assert shadow.is_bound(Term(5), NodeId(7))
    assert not shadow.is_bound(Term(6), NodeId(7))


def test_a_snapshot_is_held_also_when_it_was_written_with_a_later_term() -> None:
    # K-17 at seed 1560662569: a snapshot and the vote in the next term went to disk in one write.
    shadow = Shadow(hard_state=HardState(Term(4), None))
    shadow.fold(Write(1, HardState(Term(5), NodeId(7)), restart=Mark(Index(213), Term(4))))
    assert shadow.held_in(Term(4), Index(213), Term(4))
    assert not shadow.held_in(Term(4), Index(214), Term(4))


def test_names_sources_and_explanations_are_there_for_people() -> None:
    for invariant in INVARIANTS:
        assert invariant.source
        assert invariant.explanation.endswith(".")
        assert invariant.sometimes in MARKS


# Each break is planted where the rule is kept, and must be told from all other breaks.


def _win_alone(patch: Patch) -> None:
    count = election._count

    def wins(raft: RaftState) -> None:
        if raft.role is Role.CANDIDATE:
            change_role(raft, Event.VOTE_WON)
            leader.lead(raft)
        else:
            count(raft)

    patch.setattr(election, "_count", wins)


def _lose_votes(patch: Patch) -> None:
    def forgets(*found: Any) -> RecoveredLog:
        log = agreed(*found)
        return RecoveredLog(HardState(log.hard_state.term), log.compacted, log.entries)

    patch.setattr("pnyx.lab.boarding.agreed", forgets)


def _vote_for_everybody(patch: Patch) -> None:
    vote = election.on_request_vote

    def votes(raft: RaftState, sender: int, message: RequestVote) -> None:
        if raft.voted_for in {None, sender}:
            vote(raft, sender, message)  # type: ignore[arg-type]
        else:
            raft.promise(0, sender, RequestVoteReply(raft.term, True))  # type: ignore[arg-type]

    patch.setitem(door._ON, RequestVote, votes)


def _stand_unasked(patch: Patch) -> None:
    patch.setattr(election, "campaign", lambda raft: election.stand(raft, Event.TIMEOUT_NOW))


def _cut_as_leader(patch: Patch) -> None:
    tick = leader.tick

    def cuts(raft: RaftState) -> None:
        last = raft.log.last_index
        if last > raft.commit_index and not any(p.match >= last for p in raft.peers.values()):
            raft.log.cut(last)
            raft.writes.cut(last)
        tick(raft)

    patch.setattr(leader, "tick", cuts)


def _store_something_else(patch: Patch) -> None:
    def stores(raft: RaftState, sender: int, message: AppendEntries) -> None:
        other = encode(Batch(1, 1, (Set(b"key", b"other"),)))
        entries = tuple(
            msgspec.structs.replace(entry, payload=other)
            if entry.kind == EntryKind.COMMANDS
            else entry
            for entry in message.entries
        )
        changed = msgspec.structs.replace(message, entries=entries)
        follower.on_append_entries(raft, sender, changed)  # type: ignore[arg-type]

    patch.setitem(door._ON, AppendEntries, stores)


def _vote_for_short_logs(patch: Patch) -> None:
    patch.setattr(election, "_is_up_to_date", lambda *_: True)


def _commit_unverified(patch: Patch) -> None:
    def commits(raft: RaftState, sender: int, message: AppendEntries) -> None:
        raft.commit_to(min(message.commit_index, raft.log.last_index))
        follower.on_append_entries(raft, sender, message)  # type: ignore[arg-type]

    patch.setitem(door._ON, AppendEntries, commits)


def _count_anybody(patch: Patch) -> None:
    patch.setattr(leader, "reached", lambda values, _: max(values.values()))


def _commit_old_terms(patch: Patch) -> None:
    def commits(raft: RaftState) -> None:
        held = {peer: progress.match for peer, progress in raft.peers.items()}
        held[raft.me] = raft.writes.durable_index
        raft.commit_to(reached(held, raft.log.membership))  # type: ignore[arg-type]

    patch.setattr(leader, "maybe_commit", commits)


def _apply_less(patch: Patch) -> None:
    apply = Group.apply

    def skips(self: Group, entries: Any) -> Any:
        # Not in the reference, which replays entries one by one into a space of its own.
        if type(self.space).__name__ == "MemorySpace" and self.applied.index > 30:
            entries = [(e, b and Batch(b.stamp_ms, b.value_bytes_max, ())) for e, b in entries]
        return apply(self, entries)

    patch.setattr(Group, "apply", skips)


def _damage_snapshots(patch: Patch) -> None:
    install = Group.install_rows

    def damages(self: Group, rows: Any) -> None:
        *others, (key, value) = rows
        install(self, [*others, (key, value[:-1] + b"?")])

    patch.setattr(Group, "install_rows", damages)


def _acknowledge_at_once(patch: Patch) -> None:
    patch.setattr(Writes, "id_for_entries", lambda *_: 0)


def _vote_at_once(patch: Patch) -> None:
    patch.setattr(Writes, "id_for_ground", lambda *_: 0)


def _apply_unsynced(patch: Patch) -> None:
    take = door.Raft._take_committed

    def takes(self: door.Raft) -> tuple[Entry, ...]:
        writes = self._state.writes
        durable, writes.durable_index = writes.durable_index, self._state.log.last_index
        try:
            return take(self)
        finally:
            writes.durable_index = durable

    patch.setattr(door.Raft, "_take_committed", takes)


def _recover_less(patch: Patch) -> None:
    def loses(*found: Any) -> RecoveredLog:
        log, group = agreed(*found), found[1]
        # Not below what the space holds: the node itself would notice that.
        kept = max(len(log.entries) - 1, group.applied.index - log.compacted.index)
        return RecoveredLog(log.hard_state, log.compacted, log.entries[:kept])

    patch.setattr("pnyx.lab.boarding.agreed", loses)


def _believe_too_much(patch: Patch) -> None:
    def believes(raft: RaftState, sender: int, message: AppendEntriesReply) -> None:
        if sender == max(raft.peers):
            message = msgspec.structs.replace(message, match_index=raft.log.last_index)
        leader.on_append_entries_reply(raft, sender, message)  # type: ignore[arg-type]

    patch.setitem(door._ON, AppendEntriesReply, believes)


def _forget_a_voter(patch: Patch) -> None:
    def forgets(raft: RaftState, sender: int, message: Heartbeat) -> None:
        follower.on_heartbeat(raft, sender, message)  # type: ignore[arg-type]
        raft.log.membership = Membership(raft.log.membership.voters[1:])
        raft.commit_to(raft.commit_index)

    patch.setitem(door._ON, Heartbeat, forgets)


def _take_commits_back(patch: Patch) -> None:
    def takes_back(raft: RaftState, sender: int, message: Heartbeat) -> None:
        follower.on_heartbeat(raft, sender, message)  # type: ignore[arg-type]
        if raft.commit_index > 20:
            raft.commit_index = type(raft.commit_index)(raft.commit_index - 1)

    patch.setitem(door._ON, Heartbeat, takes_back)


def _park_everything(patch: Patch) -> None:
    park = Parking.park

    def parks(self: Parking, request: Any) -> bool:
        self.bytes_max, bytes_max = 1 << 30, self.bytes_max
        try:
            return park(self, request)
        finally:
            self.bytes_max = bytes_max

    patch.setattr(Parking, "park", parks)


def _elect_the_one_who_was_away(run: Storm) -> None:
    """Let the node that missed entries stand first once the leader is gone."""
    world = run.world
    away: list[int] = []

    def isolate() -> None:
        away.append(run.follower().number)
        world.isolate(away[0])

    def swap() -> None:
        gone = run.leader().number
        world.crash(gone)
        for number in world.processes:
            if number not in {gone, away[0]}:
                world.pause(number)
        world.rejoin(away[0])

    def wake() -> None:
        for number in world.processes:
            world.resume(number)

    run.at(1.5, isolate)
    run.at(2, swap)
    run.at(3.4, wake)


def _elect_who_holds_what_no_majority_has(run: Storm) -> None:
    """Let a leader reach only one of four others with its last entries, then end."""
    world = run.world
    pair: list[int] = []
    others: list[int] = []

    def split() -> None:
        pair[:] = [run.leader().number, run.follower().number]
        others[:] = [each for each in world.processes if each not in pair]
        world.partition([pair, others])

    def swap() -> None:
        world.crash(pair[0])
        for number in others:
            world.pause(number)
        world.heal()

    def wake() -> None:
        # Two of three: nobody can win without the one that holds more.
        for number in others[:2]:
            world.resume(number)

    run.at(1.5, split)
    run.at(1.7, swap)
    run.at(2.5, wake)


_Break = tuple[Callable[[Patch], None], dict[str, Any]]
RAGE = Storm.rage
SCRIPTS: dict[str, Callable[[Storm], None]] = {
    "leader_completeness": _elect_the_one_who_was_away,
    "own_term_commits": _elect_who_holds_what_no_majority_has,
}
BREAKS: dict[str, _Break] = {
    "election_safety": (_win_alone, {"raft": COLLIDING, "nodes": 5}),
    "term_and_vote_kept": (_lose_votes, {}),
    "one_vote_a_term": (_vote_for_everybody, {"raft": COLLIDING, "nodes": 5}),
    "pre_vote": (_stand_unasked, {}),
    "leader_append_only": (_cut_as_leader, {}),
    "log_matching": (_store_something_else, {}),
    "leader_completeness": (_vote_for_short_logs, {}),
    "committed_stays": (_commit_unverified, {}),
    "committed_on_a_durable_majority": (_count_anybody, {}),
    "own_term_commits": (
        _commit_old_terms,
        {"raft": MemberSettings(append_entries_max=1), "nodes": 5, "load": BUSY},
    ),
    "state_machine_safety": (_apply_less, {}),
    "snapshot_equals_replay": (_damage_snapshots, {"limits": SMALL_LOGS, "load": PADDED}),
    "durable_before_sent": (_acknowledge_at_once, {}),
    "durable_before_sent ": (_vote_at_once, {}),
    "durable_before_applied": (_apply_unsynced, {}),
    "recovery_is_exact": (_recover_less, {}),
    "match_is_durable": (_believe_too_much, {"nodes": 5}),
    "membership_follows_log": (_forget_a_voter, {}),
    "indexes_in_order": (_take_commits_back, {}),
    "resources_bounded": (
        _park_everything,
        {"limits": replace(SMALL_LOGS, parked_bytes=100), "load": PADDED},
    ),
}
SEEDS = range(1, 9)


def test_a_candidate_that_was_away_is_refused() -> None:
    run = Storm(1).begin()
    _elect_the_one_who_was_away(run)
    assert run.run(6) is None
    assert "vote_refused_to_a_shorter_log" in run.marks.counts


@pytest.mark.parametrize("name", BREAKS)
def test_an_invariant_fires_when_that_is_broken(name: str, monkeypatch: Patch) -> None:
    plant, changes = BREAKS[name]
    plant(monkeypatch)
    for seed in SEEDS:
        run = replace(Storm(seed), **changes).begin()
        SCRIPTS.get(name, RAGE)(run)
        violation = run.run(10 if name not in SCRIPTS else 5)
        if violation is not None:
            assert (violation.invariant, violation.sentence) == (name.strip(), violation.sentence)
            assert violation.sentence
            return
    pytest.fail(f"no run of {len(SEEDS)} broke {name}")


def test_every_invariant_of_raft_has_a_planted_break() -> None:
    of_witness = {
        "done_means_committed",
        "not_done_means_never",
        "no_request_twice",
        "answered_once",
        "nothing_unasked",
        "results_follow_the_log",
        "reads_are_current",
    }
    names = {each.name for each in INVARIANTS if each not in (*OF_BALLOTS, *OF_SESSIONS)}
    assert {name.strip() for name in BREAKS} == names - of_witness


def test_every_invariant_of_ballots_is_what_catches_a_planted_bug() -> None:
    assert {each.name for each in OF_BALLOTS} <= {pin.invariant for pin in PINNED.values()}
