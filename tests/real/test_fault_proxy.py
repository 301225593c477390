"""Does the proxy between nodes do to their bytes what it says, and does the cluster bear it?"""

import contextlib
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from pnyx.harness.cluster import Cluster
from pnyx.harness.proxy import ANY, FaultProxy
from pnyx.harness.witness import Witness, judge
from real.test_catching_up import counted
from real.test_faults import final_values, gateways

pytestmark = [pytest.mark.real]

Ends: TypeAlias = tuple[socket.socket, socket.socket]
QUIET_S = 0.3
"""Nothing arrived for so long: nothing will."""


class Between:
    """A proxy between a, which dials, and b, whose listener is in the test's hands."""

    def __init__(self, seed: int = 1) -> None:
        self._open = contextlib.ExitStack()
        self._listener = self._open.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._listener.settimeout(10)
        there = self._listener.getsockname()
        self.proxy = self._open.enter_context(FaultProxy({"a": there, "b": there}, seed=seed))

    def __enter__(self) -> "Between":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def dial(self) -> socket.socket:
        address = ("127.0.0.1", self.proxy.port("a", "b"))
        return self._open.enter_context(socket.create_connection(address, timeout=10))

    def connect(self) -> Ends:
        """Return a's end and b's end of one connection."""
        ours = self.dial()
        theirs, _ = self._listener.accept()
        self._open.enter_context(theirs)
        theirs.settimeout(10)
        return ours, theirs

    def stop_listening(self) -> None:
        self._listener.close()


@pytest.fixture
def between() -> Iterator[Between]:
    with Between() as proxied:
        yield proxied


def received(end: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        more = end.recv(count - len(got))
        assert more, f"ended after {len(got)} of {count} bytes"
        got += more
    return got


def is_quiet(end: socket.socket) -> bool:
    """Does nothing arrive, not even the end?"""
    end.settimeout(QUIET_S)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(10)
    return False


def is_over(end: socket.socket) -> bool:
    """Return whether the connection ends, by whatever means, within its timeout."""
    try:
        return end.recv(1) == b""
    except ConnectionResetError:
        return True


def test_without_a_fault_bytes_and_ends_pass_both_ways(between: Between) -> None:
    ours, theirs = between.connect()
    sent = random.Random(1).randbytes(3_000_000)
    theirs.sendall(b"hello")
    assert received(ours, 5) == b"hello"
    ours.settimeout(10)
    got = b""
    for start in range(0, len(sent), 100_000):
        ours.sendall(sent[start : start + 100_000])
        got += received(theirs, 100_000)
    assert got == sent
    ours.shutdown(socket.SHUT_WR)
    assert theirs.recv(1) == b""
    theirs.sendall(b"still here")
    assert received(ours, 10) == b"still here"
    assert between.proxy.passed.bytes_passed == len(sent) + 15


def test_a_delay_holds_one_way_and_keeps_the_order(between: Between) -> None:
    ours, theirs = between.connect()
    between.proxy.delay("a", "b", 200, jitter_ms=100)
    began = time.monotonic()
    for number in range(50):
        ours.sendall(b"%03d" % number)
    theirs.sendall(b"back")
    assert received(ours, 4) == b"back"
    assert time.monotonic() - began < 0.2, "the way back waited too"
    assert received(theirs, 150) == b"".join(b"%03d" % number for number in range(50))
    assert 0.2 <= time.monotonic() - began < 2, "delays add up"


def test_healing_lets_go_what_a_delay_holds(between: Between) -> None:
    ours, theirs = between.connect()
    between.proxy.delay("a", "b", 60_000)
    ours.sendall(b"late")
    assert is_quiet(theirs)
    between.proxy.heal()
    assert received(theirs, 4) == b"late"


def test_a_slow_way_passes_so_many_bytes_a_second(between: Between) -> None:
    ours, theirs = between.connect()
    between.proxy.slow("a", "b", 200_000)
    began = time.monotonic()
    ours.sendall(b"x" * 100_000)
    received(theirs, 100_000)
    assert 0.45 <= time.monotonic() - began < 3


def test_a_slow_way_holds_a_bounded_number_of_bytes(between: Between) -> None:
    ours, _ = between.connect()
    between.proxy.slow("a", "b", 1_000)
    ours.settimeout(QUIET_S)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 64_000_000:
            sent += ours.send(b"x" * 100_000)
    assert sent < 32_000_000


def corrupted(seed: int) -> tuple[bytes, int]:
    with Between(seed) as between:
        ours, theirs = between.connect()
        between.proxy.corrupt("a", "b", 1_000)
        ours.sendall(bytes(200_000))
        got = received(theirs, 200_000)
        theirs.sendall(bytes(50_000))
        assert received(ours, 50_000) == bytes(50_000), "the way back is not corrupted"
        return got, between.proxy.passed.bits_flipped


def test_corruption_flips_single_bits_and_its_seed_says_which() -> None:
    got, flipped = corrupted(seed=5)
    assert int.from_bytes(got, "little").bit_count() == flipped
    assert 130 < flipped < 300
    assert corrupted(seed=5) == (got, flipped)
    assert corrupted(seed=6)[0] != got


def test_a_blackhole_is_one_way_and_hides_the_end_of_the_sender(between: Between) -> None:
    ours, theirs = between.connect()
    between.proxy.blackhole("a", "b")
    ours.sendall(b"nobody hears")
    theirs.sendall(b"heard")
    assert received(ours, 5) == b"heard"
    assert is_quiet(theirs)
    ours.close()
    assert is_quiet(theirs)
    assert between.proxy.passed.bytes_swallowed == len(b"nobody hears")
    between.proxy.heal()
    assert is_over(theirs), "bytes after a hole would be garbage"


def test_half_open_connections_stay_up_and_say_nothing(between: Between) -> None:
    ours, theirs = between.connect()
    between.proxy.half_open("a", "b")
    ours.sendall(b"x")
    theirs.sendall(b"x")
    assert is_quiet(ours)
    assert is_quiet(theirs)
    late, accepted = between.connect()
    late.sendall(b"x")
    assert is_quiet(accepted)
    between.proxy.heal()
    assert is_over(ours)
    assert is_over(accepted)
    again, there = between.connect()
    again.sendall(b"y")
    assert received(there, 1) == b"y"


def test_a_cut_resets_and_refuses_until_it_is_healed(between: Between) -> None:
    ours, theirs = between.connect()
    between.proxy.cut("b", "a")
    for end in (ours, theirs):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    with pytest.raises(ConnectionRefusedError):
        between.dial()
    between.proxy.heal()
    again, there = between.connect()
    again.sendall(b"y")
    assert received(there, 1) == b"y"


def test_a_cut_spares_no_connection_that_is_just_being_made(between: Between) -> None:
    for _ in range(30):
        with contextlib.suppress(ConnectionResetError):
            dialled = between.dial()
            between.proxy.cut("a", "b")
            with pytest.raises(ConnectionResetError):
                dialled.recv(1)
        between.proxy.heal()


def test_a_reset_ends_connections_once(between: Between) -> None:
    ours, theirs = between.connect()
    between.proxy.reset("a", ANY)
    assert is_over(ours)
    assert is_over(theirs)
    again, there = between.connect()
    again.sendall(b"y")
    assert received(there, 1) == b"y"


def test_a_dialler_whose_peer_is_down_is_told(between: Between) -> None:
    between.stop_listening()
    # It may be told so soon that it never had a connection.
    with contextlib.suppress(ConnectionResetError):
        assert is_over(between.dial())


# A cluster behind it.


@pytest.mark.timeout(60)
def test_the_example_of_the_page_works() -> None:
    page = Path(__file__).parents[2] / "docs/explanation/faults-on-real-processes.md"
    example = page.read_text().partition("```python\n")[2].partition("```")[0]
    assert "blackhole" in example
    exec(compile(example, page, "exec"), {})


def delay_all(proxy: FaultProxy, _: str) -> None:
    proxy.delay(ANY, ANY, 20, jitter_ms=30)


def slow_leader(proxy: FaultProxy, leader: str) -> None:
    proxy.slow(leader, ANY, 20_000)


def corrupt_all(proxy: FaultProxy, _: str) -> None:
    proxy.corrupt(ANY, ANY, 20_000)


def reset_all(proxy: FaultProxy, _: str) -> None:
    proxy.reset(ANY, ANY)


def half_open_leader(proxy: FaultProxy, leader: str) -> None:
    proxy.half_open(leader, ANY)


def deaf_leader(proxy: FaultProxy, leader: str) -> None:
    proxy.blackhole(ANY, leader)


def mute_leader(proxy: FaultProxy, leader: str) -> None:
    proxy.blackhole(leader, ANY)


def cut_leader(proxy: FaultProxy, leader: str) -> None:
    proxy.cut(leader, ANY)


Fault: TypeAlias = Callable[[FaultProxy, str], None]
FAULTS: dict[Fault, float] = {
    delay_all: 2.0,
    slow_leader: 2.0,
    reset_all: 0.5,
    half_open_leader: 5.0,
    deaf_leader: 3.0,
    mute_leader: 3.0,
    cut_leader: 2.0,
    corrupt_all: 3.0,
}
"""How long each lasts, in seconds: a link is silent for 3 s to 4 s before its owner gives it up."""


@pytest.fixture
def proxied() -> Iterator[Cluster]:
    with Cluster(proxy_seed=random.randrange(1 << 32)) as nodes:
        nodes.start()
        nodes.wait_healthy()
        yield nodes


def total(cluster: Cluster, name: str) -> float:
    return sum(counted(cluster, label, name) for label in cluster.nodes)


def struck(cluster: Cluster, witness: Witness, fault: Fault, lasts_s: float) -> None:
    """Let one fault last, and check that writes go on during it and all is well after it."""
    leader = cluster.wait_for_leader()
    before = witness.done_count()
    fault(cluster.proxy, leader)
    end = time.monotonic() + lasts_s
    # An election may take longer than a short fault lasts.
    while time.monotonic() < end or witness.done_count() < before + 20:
        assert time.monotonic() < end + 15, f"nothing was written under {fault.__name__}"
        time.sleep(0.05)
    cluster.heal()
    cluster.wait_healthy(20)


@pytest.mark.timeout(150)
def test_no_fault_between_nodes_loses_doubles_or_stales_anything(proxied: Cluster) -> None:
    seed = random.randrange(1 << 32)
    witness = Witness(gateways(proxied), clients=6, seed=seed)
    witness.start()
    passed = proxied.proxy.passed
    for fault, lasts_s in FAULTS.items():
        bad, idle = (total(proxied, f"pnyx_links_{n}_total") for n in ("bad_frames", "links_idle"))
        swallowed, resets, flips = (
            passed.bytes_swallowed,
            passed.connections_reset,
            passed.bits_flipped,
        )
        struck(proxied, witness, fault, lasts_s)
        if fault is corrupt_all:
            assert passed.bits_flipped > flips
            assert total(proxied, "pnyx_links_bad_frames_total") > bad, "damage went unnoticed"
        else:
            assert total(proxied, "pnyx_links_bad_frames_total") == bad, fault.__name__
        if fault in {half_open_leader, deaf_leader, mute_leader}:
            assert passed.bytes_swallowed > swallowed
        if fault is half_open_leader:
            assert total(proxied, "pnyx_links_links_idle_total") > idle, "silence went unnoticed"
        if fault in {reset_all, cut_leader}:
            assert passed.connections_reset >= resets + 4
    observed = witness.stop()
    assert judge(observed, final_values(proxied, observed)) == [], f"seed {seed}"
    done = sum(append.outcome == "done" for append in observed.appends)
    print(
        f"seed {seed}: {done} done of {len(observed.appends)}, {observed.longest_s:.2f} s at most"
    )
    assert done > 500, f"the load did not get through, seed {seed}"
    assert len(observed.reads) > 500, f"seed {seed}"
    assert observed.longest_s < 9, f"seed {seed}"


@pytest.mark.timeout(60)
def test_nodes_reach_each_other_through_the_proxy_alone(proxied: Cluster) -> None:
    assert proxied.proxy.passed.connections >= 6, "two lanes a pair"
    proxied.proxy.cut(ANY, ANY)
    proxied.wait_for(lambda seen: seen.leader is None, "without a leader")
    proxied.heal()
    proxied.wait_healthy()


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_minute_of_faults_upon_faults_loses_doubles_and_stales_nothing(
    proxied: Cluster,
) -> None:
    """Up to three at a time, any pair, kills and pauses among them, healed now and then."""
    seed = random.randrange(1 << 32)
    draw = random.Random(seed)
    witness = Witness(gateways(proxied), clients=6, seed=seed)
    witness.start()
    story: list[str] = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        story += [struck_at_random(proxied, draw) for _ in range(draw.randint(1, 3))]
        time.sleep(draw.uniform(0.5, 4.0))
        proxied.heal()
        proxied.start()
        time.sleep(draw.uniform(0.2, 2.0))
    proxied.heal()
    proxied.wait_healthy(30)
    observed = witness.stop()
    told = f"seed {seed}: {', '.join(story)}"
    assert judge(observed, final_values(proxied, observed)) == [], told
    done = sum(append.outcome == "done" for append in observed.appends)
    print(f"{told}; {done} done of {len(observed.appends)}, {observed.longest_s:.2f} s at most")
    assert done > 500, told


def struck_at_random(cluster: Cluster, draw: random.Random) -> str:
    proxy = cluster.proxy
    one, other = draw.sample(sorted(cluster.nodes), 2)
    kind = draw.choice(
        ["delay", "slow", "corrupt", "blackhole", "half_open", "reset", "cut", "kill", "pause"]
    )
    match kind:
        case "delay":
            proxy.delay(one, other, draw.randint(1, 800), draw.randint(0, 400))
        case "slow":
            proxy.slow(one, other, draw.randint(500, 50_000))
        case "corrupt":
            proxy.corrupt(one, other, draw.randint(200, 50_000))
        case "kill":
            cluster.kill(one)
        case "pause":
            cluster.pause(one)
        case _:
            getattr(proxy, kind)(one, other)
    return f"{kind} {one} {other}"
