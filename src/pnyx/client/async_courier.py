"""Carries errands out over asyncio's connections: sends, reads, waits. Decides nothing."""

import asyncio
from collections.abc import Callable, Sequence
from secrets import randbits
from time import monotonic

from pnyx.client.async_links import Pool
from pnyx.client.errand import Call, Errand, Parcel
from pnyx.client.links import ATTEMPT_S, Broken, Unwelcome, welcome_s
from pnyx.client.routes import SLOTS, Routes
from pnyx.client.settings import Settings
from pnyx.prng import Prng
from pnyx.transport.backoff import Backoff
from pnyx.transport.numbering import Number


class Courier:
    """The way of one asyncio client to its cluster."""

    def __init__(self, settings: Settings) -> None:
        self.routes = Routes(settings.target.seeds)
        self._pool = Pool(settings.greeting(), decode=settings.decode)
        self._prng = Prng(randbits(128))

    def close(self) -> None:
        """Close the connections; calling again does nothing."""
        self._pool.close()

    async def carry_out(
        self, calls: Sequence[Call], ends_s: float, ack: Callable[[Number], int]
    ) -> None:
        """Return when each call is over: at `ends_s` on the monotonic clock at the latest."""
        now_s = monotonic()
        errand = Errand(calls, self.routes, Backoff(self._prng), ends_s, ack)
        while True:
            if self.routes.wants_map(now_s):
                await self.ask_map(errand.ends_s)
            until_s = min(errand.ends_s, now_s + ATTEMPT_S)
            parcels = errand.parcels(now_s)
            if len(parcels) == 1:
                await self._send(errand, parcels[0], until_s)
            else:
                await asyncio.gather(*(self._send(errand, one, until_s) for one in parcels))
            pause_s = errand.pause_s(monotonic())
            if pause_s is None:
                return
            await asyncio.sleep(pause_s)
            now_s = monotonic()

    async def ask_map(self, ends_s: float) -> None:
        """Ask some node who serves what; if it does not answer, the map stays as it is."""
        address, until_s = self.routes.any_address(monotonic()), welcome_s(ends_s)
        try:
            (reply,) = await self._pool.exchange(address, SLOTS, 1, until_s)
        except (Broken, Unwelcome):
            self._pool.drop(address)
            self.routes.failed(address, monotonic())
        else:
            self.routes.learn(reply, address)

    async def _send(self, errand: Errand, parcel: Parcel, until_s: float) -> None:
        try:
            replies = await self._pool.exchange(
                parcel.address, parcel.payload, parcel.reply_count, until_s
            )
        except Broken as broken:
            self._pool.drop(parcel.address)
            errand.broke(
                parcel, broken.replies, broken.cause, monotonic(), has_left=broken.has_left
            )
        except Unwelcome as unwelcome:
            errand.refused(parcel, unwelcome.text)
        else:
            errand.answered(parcel, replies)
