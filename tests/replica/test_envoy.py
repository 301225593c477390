"""An envoy by itself: whom it asks next, and when."""

from typing import Any, Final

from pnyx.ids import NodeId
from pnyx.machine.commands import Get
from pnyx.machine.holdings import WRONG_SHARD
from pnyx.replica.effects import Now
from pnyx.replica.envoy import RETRY_MS, Envoy
from pnyx.replica.limits import ReplicaLimits
from pnyx.replica.messages import Forward, ForwardReply
from pnyx.replica.requests import Answer, Done, Elsewhere, NotDone, Reason, Request

ONE, TWO, THREE = map(NodeId, (1, 2, 3))
BOOT: Final = 7


def asked(envoy: Envoy, now: Now) -> list[tuple[NodeId, int]]:
    """Return whom the envoy asks now, and the number of what it asks."""
    effects = envoy.effects(now)
    sent: list[Any] = [] if effects is None else effects.send
    return [(each.to, each.message.number) for each in sent if isinstance(each.message, Forward)]


def answers(envoy: Envoy, now: Now) -> list[tuple[Any, Answer]]:
    """Return who is told what now."""
    effects = envoy.effects(now)
    return [] if effects is None else effects.answers


def test_a_leader_that_cannot_be_reached_is_not_asked_for_without_a_pause() -> None:
    # The Lab's S-X2-23: two of three controllers said ten thousand times in 0.7 s that the third
    # one, which was dead, leads.
    envoy = Envoy(NodeId(9), BOOT, (ONE, TWO, THREE), ReplicaLimits())
    envoy.met(TWO)
    envoy.met(THREE)
    now = Now(1_000, 0)
    envoy.submit((Request("ticket", (Get(b"key"),), by_log=False, forward=True),), now)
    ((first, number),) = asked(envoy, now)
    envoy.step(first, ForwardReply(BOOT, number, Elsewhere(ONE)), now)
    assert asked(envoy, now) == []
    later = Now(now.mono_ms + RETRY_MS, 0)
    envoy.tick(later)
    ((second, number),) = asked(envoy, later)
    assert second in {TWO, THREE}
    envoy.met(ONE)
    envoy.step(second, ForwardReply(BOOT, number, Elsewhere(ONE)), later)
    assert [to for to, _ in asked(envoy, later)] == [ONE]


def test_a_leader_that_is_no_founding_member_is_asked_if_it_is_linked() -> None:
    # D-1 of the Lab: who had lost its disk led under its new id, and nobody elsewhere found it.
    envoy = Envoy(NodeId(9), BOOT, (ONE, TWO, THREE), ReplicaLimits())
    replacement = NodeId(4)
    envoy.met(TWO)
    envoy.met(replacement)
    now = Now(1_000, 0)
    envoy.submit((Request("ticket", (Get(b"key"),), by_log=False, forward=True),), now)
    ((_, number),) = asked(envoy, now)
    envoy.step(TWO, ForwardReply(BOOT, number, Elsewhere(replacement)), now)
    assert [to for to, _ in asked(envoy, now)] == [replacement]


def test_a_group_whose_disks_were_all_replaced_is_found_at_whoever_is_linked() -> None:
    envoy = Envoy(NodeId(9), BOOT, (ONE, TWO, THREE), ReplicaLimits())
    stranger, member, leader = map(NodeId, (4, 5, 6))
    for node in (stranger, member, leader):
        envoy.met(node)
    now = Now(1_000, 0)
    envoy.submit((Request("ticket", (Get(b"key"),), by_log=False, forward=True),), now)
    ((first, number),) = asked(envoy, now)
    assert first == stranger
    envoy.step(first, ForwardReply(BOOT, number, NotDone(Reason.NO_QUORUM)), now)
    later = Now(now.mono_ms + RETRY_MS, 0)
    envoy.tick(later)
    ((second, number),) = asked(envoy, later)
    envoy.step(second, ForwardReply(BOOT, number, Elsewhere(leader)), later)
    ((third, number),) = asked(envoy, later)
    assert (second, third) == (member, leader)
    envoy.step(third, ForwardReply(BOOT, number, Done((b"v",))), later)
    effects = envoy.effects(later)
    assert effects is not None
    assert effects.answers == [("ticket", Done((b"v",)))]


def test_what_is_asked_of_a_group_that_is_gone_may_be_asked_of_others() -> None:
    # A node that came back after ten configurations held what it was asked while it knew an older
    # one for as long as requests may be parked, and said that no leader was found.
    envoy = Envoy(NodeId(9), BOOT, (ONE, TWO, THREE), ReplicaLimits())
    now = Now(1_000, 0)
    request = Request("parked", (Get(b"key"), Get(b"other")), by_log=False, forward=True)
    envoy.submit((request,), now)
    assert envoy.effects(now) is None
    envoy.met(TWO)
    envoy.submit((Request("asked", (Get(b"key"),), by_log=False, forward=True),), now)
    ((_, number),) = asked(envoy, now)
    envoy.retire()
    assert answers(envoy, now) == [("parked", Done((WRONG_SHARD, WRONG_SHARD)))]
    envoy.step(TWO, ForwardReply(BOOT, number, NotDone(Reason.NO_QUORUM)), now)
    assert answers(envoy, now) == [("asked", Done((WRONG_SHARD,)))]
    assert envoy.idle
