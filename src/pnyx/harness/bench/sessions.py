"""What it costs that a write is done once: 50 clients at a time, in a session each and without."""

import asyncio
import random
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import hiredis

from pnyx.client.async_client import connect as connect_async
from pnyx.client.blocking import connect
from pnyx.client.url import Address
from pnyx.client.wire import packed
from pnyx.harness.bench import usage
from pnyx.harness.bench.loads import KEY_COUNT, VALUE_BYTES
from pnyx.harness.cluster import Cluster

Say = Callable[[str], None]

CLIENTS: Final = 50
VALUE: Final = b"v" * VALUE_BYTES
READ_BYTES: Final = 4096
PATIENCE_S: Final = 5.0
WARM_UP_TURNS: Final = 8
"""Before that most writes of 50 sessions are their first in one of 256 shards."""


@dataclass(slots=True)
class Ways:
    """Rounds of one kind of client, without sessions and in them."""

    rates: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    """SETs a second, by whether they were in sessions."""
    cpu_us: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    """CPU of all nodes, microseconds a SET."""


def sessions(rounds: int, seconds: float, say: Say) -> dict[str, Ways]:
    """Return what 50 clients of each kind do in alternating rounds, by the kind's name.

    They stay connected, and are warmed up: a session's first write in a shard costs more.
    """
    found: dict[str, Ways] = {}
    with Cluster() as cluster, ExitStack() as stack:
        cluster.start()
        cluster.wait_healthy()
        pids = [node.pid for node in cluster.nodes.values() if node.pid is not None]
        leader = cluster.nodes[cluster.wait_for_leader()]
        address = (leader.host, leader.ports.gateway)
        acts = [(kind, once, kind(address, stack, once=once)) for kind in KINDS for once in HOW]
        for _kind, once, act in acts:
            act(WARM_UP_TURNS * seconds if once else seconds)
        for number in range(1, rounds + 1):
            for kind, once, act in acts:
                before_s, began_s = usage.cpu_s(pids), time.monotonic()
                count = act(seconds)
                rate = count / (time.monotonic() - began_s)
                cost_us = (usage.cpu_s(pids) - before_s) * 1e6 / count
                ways = found.setdefault(kind.name, Ways())
                ways.rates[once].append(rate)
                ways.cpu_us[once].append(cost_us)
                how = "in sessions" if once else "without"
                say(f"{number}/{rounds}  {kind.name} {how}  {rate:,.0f}/s  {cost_us:.0f} us")
    return found


def summary(found: dict[str, Ways]) -> list[str]:
    """Return them as lines of a Markdown table: medians, and what sessions make of them."""
    lines = [
        f"| SET c={CLIENTS} | without | in sessions | rate | CPU of all nodes a SET | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for name, ways in found.items():
        plain, once = (statistics.median(ways.rates[each]) for each in HOW)
        spent_us, more_us = (statistics.median(ways.cpu_us[each]) for each in HOW)
        rate, cost = (statistics.median(_ratios(each)) for each in (ways.rates, ways.cpu_us))
        lines.append(
            f"| {name} | {plain:,.0f}/s | {once:,.0f}/s | {rate:.2f}x "
            f"| {spent_us:.0f}, {more_us:.0f} us | {cost:.2f}x |"
        )
    return lines


def _ratios(rounds: dict[bool, list[float]]) -> Iterator[float]:
    return (once / plain for plain, once in zip(rounds[False], rounds[True], strict=True))


class Raw:
    """Connections without a library, each in a session of its own."""

    name = "raw connections"

    def __init__(self, address: Address, stack: ExitStack, *, once: bool) -> None:
        self._talkers = [_Talker(address, once=once) for _ in range(CLIENTS)]
        for talker in self._talkers:
            stack.enter_context(talker.socket)

    def __call__(self, seconds: float) -> int:
        count, left, ends_s = 0, CLIENTS, time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            for talker in self._talkers:
                selector.register(talker.socket, selectors.EVENT_READ, talker)
                talker.ask()
            while left:
                for key, _ in selector.select(PATIENCE_S):
                    said = key.data.socket.recv(READ_BYTES)
                    assert said == b"+OK\r\n", f"a SET is answered with OK, not {said!r}"
                    count += 1
                    if time.monotonic() < ends_s:
                        key.data.ask()
                    else:
                        left -= 1
        return count


class Tasks:
    """Tasks that share a client of asyncio, which opens as many sessions as it needs."""

    name = "`pnyx.aio.connect`"

    def __init__(self, address: Address, stack: ExitStack, *, once: bool) -> None:
        self._runner = stack.enter_context(asyncio.Runner())
        self._client = self._runner.run(connect_async(_url(address), exactly_once=once))
        stack.callback(lambda: self._runner.run(self._client.aclose()))

    def __call__(self, seconds: float) -> int:
        return self._runner.run(self._all(time.monotonic() + seconds))

    async def _all(self, ends_s: float) -> int:
        return sum(await asyncio.gather(*(self._write(seed, ends_s) for seed in range(CLIENTS))))

    async def _write(self, seed: int, ends_s: float) -> int:
        prng, count = random.Random(seed), 0  # noqa: S311
        while time.monotonic() < ends_s:
            await self._client.set(_key(prng), VALUE)
            count += 1
        return count


class Threads:
    """Threads that share a blocking client, which opens as many sessions as it needs."""

    name = "`pnyx.connect`"

    def __init__(self, address: Address, stack: ExitStack, *, once: bool) -> None:
        self._client = stack.enter_context(connect(_url(address), exactly_once=once))
        self._pool = stack.enter_context(ThreadPoolExecutor(CLIENTS))

    def __call__(self, seconds: float) -> int:
        ends_s = time.monotonic() + seconds
        return sum(self._pool.map(lambda seed: self._write(seed, ends_s), range(CLIENTS)))

    def _write(self, seed: int, ends_s: float) -> int:
        prng, count = random.Random(seed), 0  # noqa: S311
        while time.monotonic() < ends_s:
            self._client.set(_key(prng), VALUE)
            count += 1
        return count


KINDS: Final = (Raw, Tasks, Threads)
"""Connected until their stack ends; a call writes for so many seconds, and returns how often."""
HOW: Final = (False, True)
"""Without sessions, and in them."""


class _Talker:
    """One connection that waits for each answer."""

    def __init__(self, address: Address, *, once: bool) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._prng = random.Random(self.socket.fileno())  # noqa: S311
        self._session = b""
        self._sequence = self._deadline_ms = 0
        if once:
            self.socket.sendall(packed(("PNYX.SESSION",)))
            reader = hiredis.Reader()
            reader.feed(self.socket.recv(READ_BYTES))
            self._session, clock_ms, ahead_ms_max, _window = reader.gets()
            self._deadline_ms = clock_ms + ahead_ms_max // 2

    def ask(self) -> None:
        words = packed(("SET", _key(self._prng), VALUE))
        if self._session:
            self._sequence += 1
            ack = self._sequence - 1
            prefix = ("PNYX.SEQ", self._session, self._sequence, ack, self._deadline_ms)
            words = packed(prefix) + words
        self.socket.sendall(words)


def _key(prng: random.Random) -> bytes:
    return b"key:%012d" % prng.randrange(KEY_COUNT)


def _url(address: Address) -> str:
    return f"pnyx://{address[0]}:{address[1]}"
