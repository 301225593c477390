"""Does a node that nobody waits for offer its processor, and for how long?"""

import os

import pytest

from pnyx.node.courtesy import COURTEOUS_MS, Courtesy


@pytest.fixture
def yields(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One element each time the processor was offered."""
    seen: list[None] = []
    monkeypatch.setattr(os, "sched_yield", lambda: seen.append(None))
    return seen


def test_who_never_gave_way_offers_nothing(yields: list[None]) -> None:
    courtesy = Courtesy()
    assert not courtesy.offer(0)
    assert not courtesy.offer(1_000_000)
    assert yields == []


def test_who_gave_way_offers_the_processor_before_each_turn_for_a_while(yields: list[None]) -> None:
    courtesy = Courtesy()
    courtesy.give_way(1_000)
    assert len(yields) == 1
    assert courtesy.offer(1_000)
    assert courtesy.offer(1_000 + COURTEOUS_MS - 1)
    assert len(yields) == 3
    assert not courtesy.offer(1_000 + COURTEOUS_MS)
    assert len(yields) == 3
    courtesy.give_way(5_000)
    assert courtesy.offer(5_000 + COURTEOUS_MS - 1), "it counts from the last time"
