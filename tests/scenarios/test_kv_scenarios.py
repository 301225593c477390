"""The scenarios of the key-value store are all there, and their judges can say no.

`make lab` plays them: three fixed seeds and a fresh one.
"""

import os
from dataclasses import replace
from typing import Final

import pytest

from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.history import History
from pnyx.lab.process import Process
from pnyx.lab.scenario import Failed, Scenario, Script, Sleep, Until
from pnyx.lab.scenarios.clients import (
    Appended,
    Client,
    check_linearizable,
    first_leader,
    token_of,
    why_wrong,
)
from pnyx.lab.scenarios.k_22 import snapshot_bytes
from pnyx.lab.scenarios.kvraft import ITERATION_US, Table, kvraft
from pnyx.lab.scenarios.locks import Lock
from pnyx.lab.scenarios.memory import held_bytes
from pnyx.lab.scenarios.versions import ERR_MAYBE, ERR_VERSION, VersionClient
from pnyx.lab.stage import WorldStage, play
from pnyx.machine.commands import Get, Set
from pnyx.machine.sessions import Sessions

FRESH: Final = int(os.environ.get("PNYX_SEED") or int.from_bytes(os.urandom(4)))
"""Drawn for each run of the tests: what fails is replayed with PNYX_SEED."""
IDS: Final = [each.id for each in all_scenarios() if each.id.startswith(("V-", "L-", "K-"))]


def test_no_scenario_of_the_tables_is_missing() -> None:
    wanted = [f"V-{number}" for number in range(1, 9)] + ["L-1", "L-2"]
    wanted += [f"K-{number}" for number in range(1, 20)] + ["K-22", "K-X1", "K-X2", "K-X3", "K-X4"]
    assert sorted(IDS) == sorted(wanted)


def test_a_seed_gives_the_same_events_again() -> None:
    assert play(scenario_named("K-19"), FRESH).hash == play(scenario_named("K-19"), FRESH).hash


# The judges themselves: each must be able to say no.


def _appends(*known: bool) -> list[Appended]:
    return [Appended(token_of(0, number), is_known) for number, is_known in enumerate(known)]


@pytest.mark.parametrize(
    ("numbers", "known", "expected"),
    [
        ((0, 1), (True, True), ""),
        ((0, 2), (True, False, True), ""),
        ((0, 2, 1), (True, False, True), ""),
        ((0,), (True, True), "acknowledged and is not there"),
        ((0, 1, 0), (True, True), "there twice"),
        ((1, 0), (True, True), "stands before"),
        ((1, 0), (True, False), "stands before"),
        ((0, 1), (True,), "never appended"),
    ],
)
def test_a_value_that_the_appends_cannot_have_left_is_found(
    numbers: tuple[int, ...], known: tuple[bool, ...], expected: str
) -> None:
    value = b"".join(token_of(0, number) for number in numbers)
    wrong = why_wrong(value, _appends(*known))
    assert (expected in wrong) if expected else wrong == ""


def _played(script: object, **more: object) -> str:
    scenario = Scenario("T-1", "a test", "here", 3, script, **more)  # type: ignore[arg-type]
    return play(scenario, 1).failed


def test_a_history_that_no_order_explains_fails_the_scenario() -> None:
    def script(stage: WorldStage) -> Script:
        yield from first_leader(stage)
        history = History("kv-append")
        client = Client(stage, "only", history)
        yield from client.append(b"k", b"x")
        history.returned(history.call("stale", "get", b"k"), "ok", b"")
        check_linearizable(stage, history)

    assert "not linearizable" in _played(script)


def test_a_log_that_is_compacted_unasked_fails_the_table() -> None:
    """The same script without `keep_logs`, on segments that are full soon."""
    scenario = replace(scenario_named("K-1"), id="T-1", prepare=None)
    assert "compacted its log unasked" in play(scenario, 1).failed


def test_a_log_that_outgrows_eight_times_its_limit_fails_the_table() -> None:
    scenario = replace(scenario_named("K-12"), id="T-1", options={"table": Table(1, log_bytes=1)})
    assert "bytes of log" in play(scenario, 1).failed


def test_clients_that_wait_without_end_fail_the_table() -> None:
    def script(stage: WorldStage, table: Table) -> Script:
        yield from first_leader(stage)
        stage.partition((1,), (2,), (3,))
        yield from kvraft(stage, table)

    assert "a client still waits" in _played(script, options={"table": Table(1)})


def test_clients_that_get_few_answers_fail_the_table() -> None:
    def healed(stage: WorldStage) -> Script:
        yield Sleep(ITERATION_US)
        stage.heal()

    def script(stage: WorldStage, table: Table) -> Script:
        yield from first_leader(stage)
        stage.partition((1,), (2,), (3,))
        stage.spawn(healed(stage))
        yield from kvraft(stage, table)

    assert "answers in 5 s" in _played(script, options={"table": Table(1)})


@pytest.mark.parametrize(("identifier", "seed"), [("K-11", 423636442622), ("V-5", 22038993584)])
def test_a_client_without_luck_does_not_fail_a_scenario(identifier: str, seed: int) -> None:
    """Of the calm second of the one 2 appends were lost and 12 reads answered; one of five clients
    of the other lost its first message and waited for the whole second."""
    assert not play(scenario_named(identifier), seed).failed


def test_a_put_that_was_repeated_says_maybe_when_somebody_else_was_faster() -> None:
    """The request is never sent: then the other one's put is what the repeated one finds."""

    def script(stage: WorldStage) -> Script:
        yield from first_leader(stage)
        told: list[str] = []
        first, other = Interrupted(stage, "first"), VersionClient(stage, "other")
        first.other = other
        told.append((yield from first.write(b"k", b"mine", 0)))
        told.append((yield from other.write(b"k", b"stale", 0)))
        found = yield from other.read(b"k")
        stage.check(found.value == b"other", f"{found}")
        raise Failed(",".join(told))

    assert _played(script) == f"{ERR_MAYBE},{ERR_VERSION}"


class Interrupted(VersionClient):
    """Its first write is lost, and another client writes before it asks again."""

    other: VersionClient | None = None

    def ask(self, *commands):  # type: ignore[no-untyped-def]
        other, self.other = self.other, None if isinstance(commands[0], Set) else self.other
        if other is not None and isinstance(commands[0], Set):
            yield from other.write(b"k", b"other", 0)
            return None
        return (yield from super().ask(*commands))


def test_a_lock_that_is_held_is_not_given_to_a_second_client() -> None:
    def script(stage: WorldStage) -> Script:
        yield from first_leader(stage)
        one, other = (Lock(VersionClient(stage, name), b"l") for name in ("one", "other"))
        yield from one.acquire()
        has_it = [False]

        def second() -> Script:
            yield from other.acquire()
            has_it[0] = True

        stage.spawn(second())
        got = yield Until(lambda: has_it[0], 1_000_000)
        stage.check(not got, "two clients hold the lock")
        yield from one.release()
        got = yield Until(lambda: has_it[0], 1_000_000)
        stage.check(got, "a free lock was not given to who waits")

    assert _played(script) == ""


def test_what_a_replica_holds_is_counted_with_its_rows_and_its_log() -> None:
    counted: list[tuple[int, int]] = []

    def script(stage: WorldStage) -> Script:
        yield from first_leader(stage)
        leader = stage.process(stage.leader() or 1)
        yield from _put(stage, b"k", b"", leader)
        empty = held_bytes(leader), snapshot_bytes(stage, leader.number)
        yield from _put(stage, b"k", b"v" * 100_000, leader)
        full = held_bytes(leader), snapshot_bytes(stage, leader.number)
        counted.append((full[0] - empty[0], full[1] - empty[1]))

    assert _played(script) == ""
    held, snapshot = counted[0]
    # Once in the log and once in the space.
    assert 200_000 <= held < 210_000
    assert snapshot == 100_000


def _put(stage: WorldStage, key: bytes, value: bytes, process: Process) -> Script:
    call = stage.call(process.number, Set(key, value))
    yield Until(lambda: call.over, 5_000_000)
    call = stage.call(process.number, Get(key))
    yield Until(lambda: call.over, 5_000_000)


def test_sessions_that_are_never_forgotten_break_the_budget_of_v_3(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = replace(scenario_named("V-3"), options={"clients": 2_000, "held_max": 1_000})
    assert play(few, FRESH).ok
    monkeypatch.setattr(Sessions, "sweep", lambda *_: None)
    assert "bytes per client after its deadline" in play(few, FRESH).failed
