"""Do links behave as the profiles say, with exactly their numbers?"""

from collections.abc import Sequence

import pytest

from pnyx.lab.chance import Chance
from pnyx.lab.network import (
    MIT_REORDERING,
    MIT_UNRELIABLE,
    QUEUED_US_MAX,
    RELIABLE,
    Network,
    Profile,
)
from pnyx.lab.timeline import Timeline

COUNT = 10_000


def fates(profile: Profile, *, reply: bool, seed: int = 7, count: int = COUNT) -> list[int | None]:
    """Send many messages, 1 s apart; return each one's delay in microseconds, None if lost."""
    timeline = Timeline(seed)
    network = Network(timeline, Chance(seed), profile)
    arrived: dict[int, int] = {}

    def receive(_source: int, content: bytes) -> None:
        arrived.setdefault(int(content), timeline.now_us)

    network.attach(2, receive)
    for number in range(count):
        timeline.run(number * 1_000_000)
        network.send(1, 2, b"%d" % number, reply=reply)
    timeline.run((count + 10) * 1_000_000)
    return [
        arrived[number] - number * 1_000_000 if number in arrived else None
        for number in range(count)
    ]


def lost(seen: Sequence[int | None]) -> float:
    return seen.count(None) / len(seen)


def delays_ms(seen: Sequence[int | None]) -> list[float]:
    return [delay / 1_000 for delay in seen if delay is not None]


def test_an_unreliable_link_delays_requests_evenly_by_0_to_26_ms_and_loses_a_tenth() -> None:
    seen = fates(MIT_UNRELIABLE, reply=False)
    delays = delays_ms(seen)
    assert 0.093 < lost(seen) < 0.107
    assert 0 <= min(delays) < 0.1
    assert 25.9 < max(delays) <= 26
    for quarter in range(4):
        share = sum(quarter * 6.5 <= delay < (quarter + 1) * 6.5 for delay in delays) / len(delays)
        assert 0.235 < share < 0.265, f"quarter {quarter} of the delays"


def test_an_unreliable_link_loses_a_tenth_of_replies_and_delays_none() -> None:
    seen = fates(MIT_UNRELIABLE, reply=True)
    assert 0.093 < lost(seen) < 0.107
    assert set(delays_ms(seen)) == {0}


def test_reordering_holds_two_thirds_of_replies_for_200_to_2200_ms_mostly_short() -> None:
    seen = fates(MIT_REORDERING, reply=True)
    delays = delays_ms(seen)
    held = [delay for delay in delays if delay > 0]
    assert 0.093 < lost(seen) < 0.107
    assert 0.65 < len(held) / len(delays) < 0.683
    assert min(held) >= 200
    assert max(held) < 2_200
    # The mean of rand(1 + rand(2000)) is 500 ms.
    assert 680 < sum(held) / len(held) < 720
    below_half = sum(delay < 1_200 for delay in held) / len(held)
    # P(U * V < 1/2) for a uniform V within a uniform U.
    assert 0.83 < below_half < 0.86


def test_reordering_leaves_requests_as_unreliable_links_have_them() -> None:
    assert fates(MIT_REORDERING, reply=False) == fates(MIT_UNRELIABLE, reply=False)


def test_replies_that_are_held_back_are_overtaken() -> None:
    timeline = Timeline(3)
    network = Network(timeline, Chance(3), MIT_REORDERING)
    arrived: list[bytes] = []
    network.attach(2, lambda _, content: arrived.append(content))
    for number in range(100):
        network.send(1, 2, b"%03d" % number, reply=True)
    timeline.run(10_000_000)
    assert len(arrived) > 50
    assert arrived != sorted(arrived)


def test_a_profile_loses_replies_as_well_as_requests() -> None:
    """The swarm's own lossy links lost requests only."""
    profile = Profile(loss=0.25)
    assert 0.23 < lost(fates(profile, reply=True)) < 0.27
    assert 0.23 < lost(fates(profile, reply=False)) < 0.27


def test_reliable_links_deliver_all_in_order() -> None:
    timeline = Timeline(5)
    network = Network(timeline, Chance(5), RELIABLE)
    arrived: list[int] = []
    network.attach(2, lambda _, content: arrived.append(int(content)))
    for number in range(1_000):
        assert network.send(1, 2, b"%d" % number)
    timeline.run(1_000_000)
    assert arrived == list(range(1_000))


def test_send_says_so_when_a_message_is_surely_lost() -> None:
    network = Network(Timeline(5), Chance(5), Profile(bytes_per_s=1_000))
    network.block(1, 2)
    assert not network.send(1, 2, b"cut")
    network.unblock(1, 2)
    sent = [network.send(1, 2, b"x" * 1_000) for _ in range(10)]
    # A second each: what would wait longer than the buffer allows is dropped.
    allowed = QUEUED_US_MAX // 1_000_000 + 1
    assert sent == [True] * allowed + [False] * (10 - allowed)


def test_a_message_on_its_way_is_lost_when_its_link_is_cut() -> None:
    timeline = Timeline(5)
    network = Network(timeline, Chance(5), Profile(latency_us=1_000))
    arrived: list[bytes] = []
    network.attach(2, lambda _, content: arrived.append(content))
    assert network.send(1, 2, b"early")
    network.block(1, 2)
    timeline.run(10_000)
    network.unblock(1, 2)
    assert network.send(1, 2, b"late")
    timeline.run(20_000)
    assert arrived == [b"late"]


@pytest.mark.parametrize("profile", [MIT_UNRELIABLE, MIT_REORDERING, RELIABLE])
def test_the_fate_of_a_message_hangs_on_the_seed_alone(profile: Profile) -> None:
    seen = fates(profile, reply=True, count=100)
    assert seen == fates(profile, reply=True, count=100)
    assert seen != fates(profile, reply=True, seed=8, count=100)
