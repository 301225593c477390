"""The order in which a cluster is searched for keys, so that no slot is left out.

A node's SCAN runs over the slots that it serves. A slot counts as searched if the same node served
it before the first page and after the last; otherwise whoever serves it then is asked, from the
start. With gateway ports any node searches all slots.
"""

from collections.abc import Sequence
from typing import Any, Final

from pnyx.client.command import Command
from pnyx.client.routes import Routes
from pnyx.client.url import Address
from pnyx.client.wire import Value
from pnyx.ids import SLOT_COUNT, Slot

_START: Final = b"0"
_ENDS: Final = (b"0", "0")


class Listing:
    """One search, page by page: `next_page`, then the map again if that `ends`, then `keys_of`."""

    def __init__(self, routes: Routes, match: Value, count: int) -> None:
        self._routes = routes
        self._options: tuple[Value, ...] = ("MATCH", match, "COUNT", count)
        self._missing: Sequence[Slot] = tuple(map(Slot, range(SLOT_COUNT)))
        self._cursor: Value = _START
        self._before: tuple[Address | None, ...] = ()
        self._address: Address | None = None

    def next_page(self) -> Command | None:
        """Return the next SCAN; None if all slots were searched."""
        if not self._missing:
            return None
        lead = self._missing[0]
        if self._cursor == _START or self._server(self._routes.masters, lead) != self._address:
            self._cursor = _START
            self._before = self._routes.masters
            self._address = self._server(self._before, lead)
        command = Command(("SCAN", self._cursor, *self._options), None, writes=False)
        command.slot, command.is_local = lead, True
        return command

    def is_last(self, page: Any) -> bool:
        """Is it a node's last page? Then the map must be asked for again before `keys_of`."""
        return page[0] in _ENDS

    def keys_of(self, page: Any) -> list[Any]:
        """Return the keys of a page, and go on after it."""
        self._cursor, keys = page
        if self.is_last(page):
            self._cursor = _START
            after = self._routes.masters
            self._missing = [slot for slot in self._missing if not self._was_searched(slot, after)]
        return list(keys)

    def _was_searched(self, slot: Slot, after: tuple[Address | None, ...]) -> bool:
        return self._server(self._before, slot) == self._address == self._server(after, slot)

    @staticmethod
    def _server(masters: tuple[Address | None, ...], slot: Slot) -> Address | None:
        return masters[slot] if masters else None
