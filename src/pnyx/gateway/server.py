"""The gateway's door: both ports of a node, opened and closed together."""

import asyncio
import errno
import resource
import time
from collections.abc import Callable
from typing import Final

from pnyx.errors import AddressTaken
from pnyx.gateway.connection import Connection
from pnyx.gateway.limits import CLOSE_SECONDS, SHED_SECONDS, STOP_SECONDS
from pnyx.gateway.lobby import Lobby
from pnyx.gateway.store import Store

BACKLOG: Final = 511

RESERVED_FILES: Final = 128
"""Open files that are never given to clients: peers, log, database, the health port."""


class Gateway:
    """Listens on the gateway port (standalone dialect) and the cluster port (Redis Cluster's)."""

    def __init__(self, store: Store) -> None:
        self.lobby = Lobby(store, time.monotonic())
        self._listeners: list[asyncio.Server] = []
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open both ports.

        Raises:
            AddressTaken: another process listens on one of them. Neither is open then.
        """
        self._fit_to_files()
        address = self.lobby.store.settings.me
        ports = ((address.gateway_port, False), (address.cluster_port, True))
        try:
            for port, speaks_cluster in ports:
                self._listeners.append(await self._listen(address.host, port, speaks_cluster))
        except AddressTaken:
            await self._close_listeners()
            raise
        self._watch = asyncio.create_task(self._look_after_clients())

    async def stop(self) -> None:
        """Accept nobody, answer what is under way and refuse what follows, hang up.

        Within STOP_SECONDS and CLOSE_SECONDS together, whatever clients do.
        """
        self.lobby.is_stopping = True
        await self._close_listeners()
        await self._wait_until(STOP_SECONDS, self._nobody_is_busy)
        await self._wait_until(CLOSE_SECONDS, lambda: not self.lobby.connections)
        for connection in list(self.lobby.connections.values()):
            connection.abort()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    def _nobody_is_busy(self) -> bool:
        connections = list(self.lobby.connections.values())
        for connection in connections:
            connection.finish()
        return not any(connection.is_busy for connection in connections)

    async def _wait_until(self, seconds: float, is_over: Callable[[], bool]) -> None:
        end = time.monotonic() + seconds
        while not is_over() and time.monotonic() < end:  # noqa: ASYNC110 - many events end it
            await asyncio.sleep(0.01)

    async def _listen(self, host: str, port: int, speaks_cluster: bool) -> asyncio.Server:  # noqa: FBT001
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(
                lambda: Connection(self.lobby, speaks_cluster=speaks_cluster),
                host,
                port,
                backlog=BACKLOG,
            )
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
                raise
            name = "cluster_port" if speaks_cluster else "gateway_port"
            raise AddressTaken(
                f"cannot listen for Redis clients on {host}:{port}",
                cause=str(error),
                next_step=f"stop the program that listens there, or change {name} of this node",
            ) from error

    async def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _fit_to_files(self) -> None:
        """Take no more clients than there are files for, reserved ones apart (T18)."""
        limits = self.lobby.limits
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = limits.clients_max + RESERVED_FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            if most > soft:
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
                soft = most
            reserved = min(RESERVED_FILES, soft // 2)
            limits.clients_max = max(1, min(limits.clients_max, soft - reserved))

    async def _look_after_clients(self) -> None:
        counted, looked = 0, time.monotonic()
        while True:
            await asyncio.sleep(SHED_SECONDS)
            now = time.monotonic()
            self.lobby.now_ms = int(now * 1000)
            done = self.lobby.counters.commands
            self.lobby.commands_per_second = max(0, int((done - counted) / (now - looked)))
            counted, looked = done, now
            notices = self.lobby.notices.look(self.lobby.store.topology())
            for connection in list(self.lobby.connections.values()):
                connection.check(now)
                for notice in notices:
                    connection.notify(notice)
