"""Does a busy node look on, and sleep when nothing comes or others need the processor?"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from pnyx.node import vigil as module
from pnyx.node.vigil import (
    KEPT_OUT_S,
    PAUSE_S_LEAST,
    PAUSE_S_MAX,
    SOON_S,
    WORKS_LEAST,
    Vigil,
)

PATIENCE_US = 500
LOOK_S = 5e-6


class Machine:
    """A loop, a clock and a processor that others may want."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.away_s = 0.0
        """How long others take at the next look."""
        self.looks = 0
        self._next: list[Callable[[], object]] = []
        monkeypatch.setattr(module, "perf_counter", lambda: self.now_s)
        monkeypatch.setattr(os, "sched_yield", self._give_way)

    def call_soon(self, call: Callable[[], object]) -> None:
        self._next.append(call)

    def turn(self) -> bool:
        """Take one turn of the loop; return False if it would sleep."""
        calls, self._next = self._next, []
        for call in calls:
            call()
        return bool(self._next)

    def sleeps_after_s(self) -> float:
        """Return when it sleeps if nothing comes."""
        began_s = self.now_s
        while self.turn():
            assert self.now_s < began_s + 1, "it never sleeps"
        return self.now_s - began_s

    def _give_way(self) -> None:
        self.looks += 1
        self.now_s += LOOK_S + self.away_s
        self.away_s = 0.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def vigil(machine: Machine, patience_us: int = PATIENCE_US) -> Vigil:
    loop: Any = machine
    return Vigil(loop, patience_us)


def worked_often(machine: Machine, kept: Vigil) -> None:
    for _ in range(WORKS_LEAST + 1):
        machine.now_s += 0.0001
        kept.worked()


def test_who_works_often_looks_on_until_its_patience_ends(machine: Machine) -> None:
    kept = vigil(machine)
    worked_often(machine, kept)
    assert PATIENCE_US / 1e6 <= machine.sleeps_after_s() <= PATIENCE_US / 1e6 + 2 * LOOK_S
    assert machine.looks >= PATIENCE_US / 1e6 / LOOK_S - 1


def test_work_that_comes_meanwhile_prolongs_it_and_starts_no_second_one(machine: Machine) -> None:
    kept = vigil(machine)
    worked_often(machine, kept)
    for _ in range(500):
        assert machine.turn()
        looks = machine.looks
        kept.worked()
        assert machine.turn()
        assert machine.looks == looks + 1


def test_who_works_now_and_then_sleeps(machine: Machine) -> None:
    kept = vigil(machine)
    for _ in range(10):
        for _ in range(WORKS_LEAST):
            kept.worked()
            assert not machine.turn()
        machine.now_s += PATIENCE_US / 1e6 + 0.001
    assert machine.looks == 0


def test_without_patience_nobody_looks(machine: Machine) -> None:
    kept = vigil(machine, patience_us=0)
    worked_often(machine, kept)
    assert not machine.turn()
    assert machine.looks == 0


def test_short_work_of_others_is_waited_for(machine: Machine) -> None:
    kept = vigil(machine)
    worked_often(machine, kept)
    machine.away_s = KEPT_OUT_S / 4
    assert machine.turn()


def test_who_is_kept_out_again_and_again_looks_ever_less(machine: Machine) -> None:
    kept = vigil(machine)
    looks = []
    for _ in range(3):
        before = machine.looks
        ends_s = machine.now_s + 10.0
        while machine.now_s < ends_s:
            machine.away_s = 0.0035
            kept.worked()
            machine.turn()
            machine.now_s += 0.0001
        looks.append(machine.looks - before)
    # The first pauses are short, each twice as long as the one before.
    assert looks[0] <= 16
    assert max(looks[1:]) <= 10.0 // PAUSE_S_MAX + 1


def test_who_was_kept_out_by_chance_soon_looks_on(machine: Machine) -> None:
    kept = vigil(machine)
    for _ in range(20):
        worked_often(machine, kept)
        machine.away_s = 0.0035
        assert not machine.turn()
        machine.now_s += PAUSE_S_LEAST
        worked_often(machine, kept)
        assert machine.turn(), "a pause after long quiet is short"
        machine.sleeps_after_s()
        machine.now_s += SOON_S


def test_a_real_loop_goes_on_with_all_else_meanwhile() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        kept = Vigil(loop, 20_000)
        for _ in range(WORKS_LEAST + 1):
            kept.worked()
        reader, writer = os.pipe()
        seen = loop.create_future()
        loop.add_reader(reader, lambda: seen.set_result(os.read(reader, 1)))
        loop.call_later(0.005, os.write, writer, b"x")
        assert await asyncio.wait_for(seen, 5) == b"x"
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)

    asyncio.run(story())
