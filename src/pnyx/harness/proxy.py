"""A TCP proxy in user space that stands between nodes and hurts what passes, one way or both.

Every ordered pair of nodes has a listener: the dialler's settings name it as the other's peer
port. A fault belongs to a *way*, the bytes from one node to another, whoever of the two dialled;
`ANY` stands for every node. Faults add up until `heal`. The proxy works on a thread of its own and
ends with its process; its calls block, and when one returns the fault is there.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations
from typing import Any, Final, TypeAlias, TypeVar

from pnyx.errors import LimitExceeded
from pnyx.harness.closing import Closing
from pnyx.harness.pipe import Passed, Pipe, Way
from pnyx.prng import Prng

HOST: Final = "127.0.0.1"
ANY: Final = "*"
"""Every node, where a label is asked for."""
CONNECTIONS_MAX: Final = 512
"""At a time; more are closed at once."""
DIAL_S_MAX: Final = 2.0
KERNEL_BYTES: Final = 256 * 1024
"""What the kernel may hold for us in front of a pipe, so that a sender feels a slow one."""
WRITE_BYTES_HIGH: Final = 64 * 1024
CALL_S_MAX: Final = 10.0
"""The loop only moves bytes: a call that is not done by then never will be."""

Pair: TypeAlias = tuple[str, str]
_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Connection:
    """One accepted connection, and our own onwards once there is one."""

    pair: Pair
    """Who dialled whom."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    pipes: list[Pipe] = field(default_factory=list)
    is_over: bool = False
    """It was reset, perhaps before both sides were there."""

    async def end(self) -> None:
        """Close both sides once they have taken all that was sent."""
        for writer in self.writers:
            writer.close()
        for writer in self.writers:
            await writer.wait_closed()

    def reset(self) -> None:
        """Close both sides with RST, as a machine does that knows nothing of the connection."""
        self.is_over = True
        for writer in self.writers:
            sock = writer.get_extra_info("socket")
            if not writer.transport.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class _Gate:
    """A port that is ours for good and can be opened and shut: shut, it refuses connections."""

    def __init__(self) -> None:
        # Bound and never listening, it keeps the port while nobody listens.
        self._keeper = self._bound(0)
        self.port: int = self._keeper.getsockname()[1]
        self._listener: socket.socket | None = None

    def open(self, on_connect: Callable[[socket.socket], None]) -> None:
        if self._listener is None:
            self._listener = self._bound(self.port)
            self._listener.setblocking(False)
            self._listener.listen(CONNECTIONS_MAX)
            # Not a server of asyncio's: one that closes forgets what it is just accepting.
            loop = asyncio.get_running_loop()
            loop.add_reader(self._listener, self._accept, self._listener, on_connect)

    @staticmethod
    def _accept(listener: socket.socket, on_connect: Callable[[socket.socket], None]) -> None:
        # Gone again before we looked, or no descriptor left: the dialler tries again.
        with contextlib.suppress(OSError):
            accepted, _ = listener.accept()
            on_connect(accepted)

    def shut(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def give_back(self) -> None:
        self._keeper.close()

    @staticmethod
    def _bound(port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        bound.bind((HOST, port))
        return bound


class FaultProxy(Closing):
    """Stands in front of every node, once for each of the others."""

    def __init__(self, targets: Mapping[str, tuple[str, int]], *, seed: int) -> None:
        """Listen for every ordered pair of `targets` (label -> host and port of the node itself).

        All that is drawn (jitter, which bits flip) hangs on `seed`, on the pair, on which of its
        connections it is, and on the bytes that pass.

        Raises:
            LimitExceeded: there are more pairs than this process may open sockets for.
        """
        self.passed = Passed()
        self._targets = dict(targets)
        self._seed = seed
        self._ways = {pair: Way() for pair in permutations(sorted(targets), 2)}
        self._gates: dict[Pair, _Gate] = {}
        self._dialled = dict.fromkeys(self._ways, 0)
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        try:
            for pair in self._ways:
                self._gates[pair] = _Gate()
        except OSError as error:
            for gate in self._gates.values():
                gate.give_back()
            raise LimitExceeded(
                f"a proxy for {len(targets)} nodes needs {len(self._ways)} ports",
                cause=str(error),
                next_step="fewer nodes, or more open files (ulimit -n)",
            ) from error
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._call(self._open())

    def close(self) -> None:
        """Reset every connection and give the ports back; calling again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._call(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S_MAX)
        self._loop.close()

    def port(self, dialler: str, accepter: str) -> int:
        """Return the port at which `dialler` finds `accepter`."""
        return self._gates[dialler, accepter].port

    # Faults of ways, from a sender to a receiver.

    def delay(self, sender: str, receiver: str, delay_ms: float, jitter_ms: int = 0) -> None:
        """Let everything be on its way for `delay_ms`, and up to `jitter_ms` longer, in order."""
        self._set(sender, receiver, delay_ms=delay_ms, jitter_ms=jitter_ms)

    def slow(self, sender: str, receiver: str, bytes_per_s: int) -> None:
        """Let each connection pass so many bytes a second; what waits fills the sender's side."""
        assert bytes_per_s > 0, "nothing a second is `blackhole`"
        self._set(sender, receiver, bytes_per_s=bytes_per_s)

    def corrupt(self, sender: str, receiver: str, every_bytes: int) -> None:
        """Flip one bit about every so many bytes."""
        assert every_bytes > 0, "a distance in bytes"
        self._set(sender, receiver, flip_every_bytes=every_bytes)

    def blackhole(self, sender: str, receiver: str) -> None:
        """Let all bytes vanish on this way while connections stay up; the other way works."""
        self._set(sender, receiver, silent=True)

    # Faults of links, both ways.

    def half_open(self, one: str, other: str) -> None:
        """Let all bytes vanish both ways: neither side hears of the end of the other."""
        self.blackhole(one, other)
        self.blackhole(other, one)

    def reset(self, one: str, other: str) -> None:
        """Close all connections between the two with RST, once; new ones may come at once."""
        self._call(self._reset({*self._chosen(one, other), *self._chosen(other, one)}))

    def cut(self, one: str, other: str) -> None:
        """Close all connections between the two and refuse new ones until `heal`."""
        pairs = {*self._chosen(one, other), *self._chosen(other, one)}
        self._call(self._cut(pairs))

    def heal(self) -> None:
        """Undo everything. What was held back arrives; connections with a hole are reset."""
        self._call(self._heal())

    # On the loop.

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S_MAX)

    def _chosen(self, sender: str, receiver: str) -> list[Pair]:
        known = {ANY, *self._targets}
        assert {sender, receiver} <= known, f"{sender} or {receiver} is none of {sorted(known)}"
        chosen = [
            pair for pair in self._ways if sender in {ANY, pair[0]} and receiver in {ANY, pair[1]}
        ]
        assert chosen, "a node has no way to itself"
        return chosen

    def _set(self, sender: str, receiver: str, **faults: Any) -> None:
        async def set_all() -> None:
            for pair in self._chosen(sender, receiver):
                for name, value in faults.items():
                    setattr(self._ways[pair], name, value)

        self._call(set_all())

    async def _open(self) -> None:
        for pair, gate in self._gates.items():
            gate.open(partial(self._accept, pair))

    async def _reset(self, pairs: set[Pair]) -> None:
        for connection in list(self._connections):
            if connection.pair in pairs:
                self.passed.connections_reset += 1
                connection.reset()

    async def _cut(self, pairs: set[Pair]) -> None:
        for pair in pairs:
            self._gates[pair].shut()
        await self._reset(pairs)

    async def _heal(self) -> None:
        nothing = Way()
        for way in self._ways.values():
            for name in Way.__slots__:
                setattr(way, name, getattr(nothing, name))
        for connection in list(self._connections):
            if any(pipe.has_hole for pipe in connection.pipes):
                self.passed.connections_reset += 1
                connection.reset()
        await self._open()

    async def _shut_down(self) -> None:
        for gate in self._gates.values():
            gate.shut()
            gate.give_back()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Aborted transports close their sockets in the loop's next turn.
        await asyncio.sleep(0)

    def _accept(self, pair: Pair, accepted: socket.socket) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            accepted.close()
            return
        connection = _Connection(pair)
        self._connections.add(connection)
        self.passed.connections += 1
        task = self._loop.create_task(self._live_through(connection, accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live_through(self, connection: _Connection, accepted: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=accepted)
            connection.writers.append(writer)
            if not connection.is_over:
                await self._pass_on(connection, reader)
        except* OSError:
            # Whichever side broke, the other one hears of it from the reset below.
            pass
        finally:
            connection.reset()
            self._connections.discard(connection)

    async def _pass_on(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        dialler, accepter = connection.pair
        async with asyncio.timeout(DIAL_S_MAX):
            onwards = await asyncio.open_connection(*self._targets[accepter])
        connection.writers.append(onwards[1])
        if connection.is_over:
            return
        for writer in connection.writers:
            writer.transport.set_write_buffer_limits(WRITE_BYTES_HIGH)
        self._dialled[connection.pair] += 1
        number = self._dialled[connection.pair]
        accepted = (reader, connection.writers[0])
        ends = ((dialler, accepter, accepted, onwards), (accepter, dialler, onwards, accepted))
        for sender, receiver, source, sink in ends:
            name = f"{dialler} dials {accepter}, {number}, bytes of {sender}"
            prng = Prng(Prng(self._seed).below(1 << 63, name))
            connection.pipes.append(
                Pipe(self._ways[sender, receiver], self.passed, prng, source[0], sink[1])
            )
        async with asyncio.TaskGroup() as both:
            for pipe in connection.pipes:
                both.create_task(pipe.run())
        if not any(pipe.has_hole for pipe in connection.pipes):
            await connection.end()
