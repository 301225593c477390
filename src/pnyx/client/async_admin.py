"""`client.admin` of the asyncio client: `Admin`'s methods, each carried out on a thread."""

import asyncio
from collections.abc import Sequence
from functools import partial

from pnyx.admin.controller import Change, Configuration
from pnyx.admin.groups import GroupView
from pnyx.admin.health import Health, ReportedMember
from pnyx.admin.moves import WAIT_S, Move
from pnyx.client.admin import PAGES, Admin, located
from pnyx.client.async_runner import Runner


class AsyncAdmin:
    """Methods and errors are those of `Admin`, awaited.

    They take as long as shards take to move, and the pages are asked without a loop; so a thread
    waits for them. A method that is cancelled goes on there, and so do the shards.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def status(self) -> Health:
        """Return how the cluster is."""
        return await asyncio.to_thread((await self._admin()).status)

    async def nodes(self) -> tuple[ReportedMember, ...]:
        """Return all nodes, sorted by label."""
        return await asyncio.to_thread((await self._admin()).nodes)

    async def groups(self) -> list[GroupView]:
        """Return the groups."""
        return await asyncio.to_thread((await self._admin()).groups)

    async def join(
        self,
        *names: str,
        nodes: Sequence[str] = (),
        apart: bool = False,
        consensus: str | None = None,
        wait_s: float = WAIT_S,
    ) -> None:
        """Let groups join, and return when they serve their part."""
        join = partial((await self._admin()).join, *names, nodes=nodes, apart=apart)
        await asyncio.to_thread(join, consensus=consensus, wait_s=wait_s)

    async def leave(self, *names: str, wait_s: float = WAIT_S) -> None:
        """Let groups leave for ever, and return when others serve what they had."""
        await asyncio.to_thread((await self._admin()).leave, *names, wait_s=wait_s)

    async def move(self, shard: int, group: str, *, wait_s: float = WAIT_S) -> None:
        """Let a shard go to a group, and return when it is there."""
        await asyncio.to_thread((await self._admin()).move, shard, group, wait_s=wait_s)

    async def query(self, number: int | None = None) -> Configuration:
        """Return the configuration of that number, or the newest."""
        return await asyncio.to_thread((await self._admin()).query, number)

    async def plan(self, change: Change | None = None) -> list[Move]:
        """Return the moves that are still to be done, or those that a change would lead to."""
        return await asyncio.to_thread((await self._admin()).plan, change)

    async def drain(self, label: str) -> None:
        """Hand over what a node leads and remove it for ever."""
        await asyncio.to_thread((await self._admin()).drain, label)

    async def transfer_leader(self, label: str = "", *, group: str = "g1") -> str:
        """Have a node lead a group; return who leads then."""
        return await asyncio.to_thread((await self._admin()).transfer_leader, label, group=group)

    async def _admin(self) -> Admin:
        reply = await self._runner.one(PAGES)
        return Admin(located(reply, self._runner.settings.target.password))
