"""A gateway over a local store on a loop of its own thread, for tests that use plain sockets."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

import uvloop

from differential.raw import RawConnection
from gateway.local import LocalStore, free_port, settings_for
from pnyx.gateway.server import Gateway

T = TypeVar("T")


class Running:
    """A started gateway; everything that touches it happens on its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gateway: Gateway, store: LocalStore):
        self._loop = loop
        self._connections: list[RawConnection] = []
        self.gateway = gateway
        self.store = store

    def connect(self, *, cluster: bool = False) -> RawConnection:
        address = self.store.settings.me
        port = address.cluster_port if cluster else address.gateway_port
        connection = RawConnection(address.host, port)
        self._connections.append(connection)
        return connection

    def on_loop(self, function: Callable[[], T]) -> T:
        """Return what `function` returns when it is called on the gateway's loop."""

        async def called() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(10)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Return when the condition holds on the loop."""
        end = time.monotonic() + seconds
        while not self.on_loop(condition):
            assert time.monotonic() < end, "what was waited for did not come"
            time.sleep(0.005)

    def begin_stop(self) -> "Future[None]":
        """Start to stop the gateway; the block's end stops it again, which does nothing."""
        return asyncio.run_coroutine_threadsafe(self.gateway.stop(), self._loop)

    def close_clients(self) -> None:
        for connection in self._connections:
            connection.close()


@contextlib.contextmanager
def running(groups: int = 1, shards: int = 12, **changes: object) -> Iterator[Running]:
    """Run a gateway over so many groups with these settings until the block ends."""
    loop = uvloop.new_event_loop()
    uncaught: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _loop, context: uncaught.append(context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    store = LocalStore(settings_for(free_port(), free_port(), **changes), groups, shards)
    gateway = Gateway(store)
    try:
        asyncio.run_coroutine_threadsafe(gateway.start(), loop).result(10)
        one = Running(loop, gateway, store)
        try:
            yield one
        finally:
            one.close_clients()
            asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
    assert not uncaught, uncaught
