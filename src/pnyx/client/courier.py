"""Carries errands out over blocking sockets: sends, reads, waits. Decides nothing."""

from collections.abc import Callable, Sequence
from secrets import randbits
from time import monotonic, sleep

from pnyx.client.errand import Call, Errand, Parcel
from pnyx.client.links import ATTEMPT_S, Broken, Link, Pool, Unwelcome, welcome_s
from pnyx.client.routes import SLOTS, Routes
from pnyx.client.settings import Settings
from pnyx.prng import Prng
from pnyx.transport.backoff import Backoff
from pnyx.transport.numbering import Number


class Courier:
    """The way of one blocking client to its cluster; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self.routes = Routes(settings.target.seeds)
        self._pool = Pool(settings.greeting(), decode=settings.decode)
        self._prng = Prng(randbits(128))

    def close(self) -> None:
        """Close the connections; calling again does nothing."""
        self._pool.close()

    def carry_out(self, calls: Sequence[Call], ends_s: float, ack: Callable[[Number], int]) -> None:
        """Return when each call is over: at `ends_s` on the monotonic clock at the latest."""
        now_s = monotonic()
        errand = Errand(calls, self.routes, Backoff(self._prng), ends_s, ack)
        while True:
            if self.routes.wants_map(now_s):
                self.ask_map(errand.ends_s)
            until_s = min(errand.ends_s, now_s + ATTEMPT_S)
            parcels = errand.parcels(now_s)
            sent = [(parcel, self._send(errand, parcel, now_s, until_s)) for parcel in parcels]
            for parcel, link in sent:
                if link is not None:
                    self._receive(errand, parcel, link, until_s)
            pause_s = errand.pause_s(monotonic())
            if pause_s is None:
                return
            if pause_s:
                sleep(pause_s)
            now_s = monotonic()

    def ask_map(self, ends_s: float) -> None:
        """Ask some node who serves what; if it does not answer, the map stays as it is."""
        now_s, until_s = monotonic(), welcome_s(ends_s)
        address = self.routes.any_address(now_s)
        try:
            link = self._pool.take(address, now_s, until_s)
            link.send(SLOTS, until_s)
            (reply,) = link.receive(1, until_s)
        except Broken:
            self._pool.drop(address)
            self.routes.failed(address, monotonic())
        except Unwelcome:
            self.routes.failed(address, monotonic())
        else:
            self._pool.give(link, monotonic())
            self.routes.learn(reply, address)

    def _send(self, errand: Errand, parcel: Parcel, now_s: float, until_s: float) -> Link | None:
        try:
            link = self._pool.take(parcel.address, now_s, until_s)
            link.send(parcel.payload, until_s)
        except Broken as broken:
            self._on_broken(errand, parcel, broken)
        except Unwelcome as unwelcome:
            errand.refused(parcel, unwelcome.text)
        else:
            return link
        return None

    def _receive(self, errand: Errand, parcel: Parcel, link: Link, until_s: float) -> None:
        try:
            replies = link.receive(parcel.reply_count, until_s)
        except Broken as broken:
            self._on_broken(errand, parcel, broken)
        else:
            self._pool.give(link, monotonic())
            errand.answered(parcel, replies)

    def _on_broken(self, errand: Errand, parcel: Parcel, broken: Broken) -> None:
        self._pool.drop(parcel.address)
        errand.broke(parcel, broken.replies, broken.cause, monotonic(), has_left=broken.has_left)
