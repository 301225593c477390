"""POST /v1/members and /v1/controller of a node's page: changes of members, leaders and groups.

Whoever may do this may take the cluster down, so it is asked for like a client's login: with
`requirepass`, by basic authentication as user default; without one, from this machine only, unless
the settings say `insecure`. The body must be declared as JSON, which no web page of another origin
can send without asking first, and it is never answered yes.
"""

import asyncio
import json
from base64 import b64encode
from hmac import compare_digest
from typing import Any, Final, Protocol

import structlog
from aiohttp import web

from pnyx.ids import GroupId
from pnyx.machine.directives import AnyDirective
from pnyx.node.directing import NotAsked, Told as Directed, directive_of, shown
from pnyx.node.members import Told, Verb, Wish
from pnyx.node.settings import Settings, is_loopback
from pnyx.node.status import Topology
from pnyx.replica.roster import CONTROL

WRONG_S: Final = 1.0
"""A wrong password is answered after this, one at a time: so many may be tried."""
LABEL_LENGTH_MAX: Final = 64
USER: Final = "default"
"""As Redis calls the only user there is."""

_log = structlog.get_logger("pnyx.control")


class Controlled(Protocol):
    """The node, as far as it can be changed."""

    @property
    def settings(self) -> Settings: ...

    def topology(self) -> Topology: ...

    async def change_members(self, wish: Wish) -> Told:
        """Carry it out if this node leads; takes a minute or so at most."""
        ...

    async def direct(self, directive: AnyDirective) -> Directed:
        """Tell the controller, wherever it leads; takes seconds at most."""
        ...


class Control:
    """Judges who asks and what, and answers."""

    def __init__(self, node: Controlled) -> None:
        self._node = node
        self._penance = asyncio.Lock()

    async def members(self, request: web.Request) -> web.Response:
        """Take ``{"add": "n4"}``, ``{"remove": "n4"}``, ``{"lead": "n2"}`` or ``{"lead": ""}``.

        With ``"group": 2`` it is about that group, else about the controller's.
        """
        refusal = await self._refusal(request)
        if refusal is not None:
            return refusal
        wish = wanted(await request.read())
        if wish is None:
            text = (
                'send {"add": LABEL}, {"remove": LABEL} or {"lead": LABEL, or empty}, '
                'perhaps with "group": NUMBER\n'
            )
            return web.Response(status=400, text=text)
        _log.warning("asked for a change", change=wish.verb.value, label=wish.label)
        told = await self._node.change_members(wish)
        _log.warning("change answered", change=wish.verb.value, label=wish.label, told=told.outcome)
        return web.json_response(self._document(told))

    async def controller(self, request: web.Request) -> web.Response:
        """Take a directive in words, as directing.py lists them; any node does.

        Of ``"outcome": "done"`` the result is a configuration, or what serves each shard now.
        """
        refusal = await self._refusal(request)
        if refusal is not None:
            return refusal
        topology, engine = self._node.topology(), self._node.settings.consensus
        try:
            directive = directive_of(json_of(await request.read()), topology, engine)
        except (NotAsked, ValueError) as error:
            return web.Response(status=400, text=f"{error}\n")
        if directive.writes:
            _log.warning("asked the controller", directive=type(directive).__name__)
        told = await self._node.direct(directive)
        result = shown(directive, told.result) if told.result else None
        said = {"outcome": told.outcome, "reason": told.reason, "result": result}
        return web.json_response(said)

    def _document(self, told: Told) -> dict[str, Any]:
        said: dict[str, Any] = {"outcome": told.outcome, "reason": told.reason}
        if told.leader is not None:
            leader = self._node.topology().member(told.leader)
            if leader is not None:
                said |= {"leader": leader.label, "host": leader.host, "port": leader.http_port}
        return said

    async def _refusal(self, request: web.Request) -> web.Response | None:
        if request.content_type != "application/json" or "Origin" in request.headers:
            return web.Response(status=415, text="send application/json, not from a web page\n")
        password = self._node.settings.requirepass
        if password:
            return await self._judged(request.headers.get("Authorization", ""), password)
        if self._node.settings.insecure or is_loopback(request.remote or ""):
            return None
        text = "without requirepass members are changed from this node's own machine only\n"
        return web.Response(status=403, text=text)

    async def _judged(self, said: str, password: str) -> web.Response | None:
        word = b64encode(f"{USER}:{password}".encode())
        if compare_digest(said.encode(), b"Basic " + word):
            return None
        if self._penance.locked():
            return web.Response(status=429, text="too many wrong passwords\n")
        async with self._penance:
            await asyncio.sleep(WRONG_S)
        return web.Response(status=401, text="that is not requirepass\n")


def json_of(body: bytes) -> Any:
    """Return the value of a request's body.

    Raises:
        ValueError: it is no JSON, or lists in lists without end.
    """
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("too many lists in lists") from error


def wanted(body: bytes) -> Wish | None:
    """Return what a body asks for, or None if it asks for nothing that there is."""
    try:
        asked = json_of(body)
    except ValueError:
        return None
    if not isinstance(asked, dict):
        return None
    group = asked.pop("group", CONTROL)
    if len(asked) != 1 or type(group) is not int:
        return None
    ((word, label),) = asked.items()
    verb = next((one for one in Verb if one.value == word), None)
    if verb is None or not isinstance(label, str) or len(label) > LABEL_LENGTH_MAX:
        return None
    if not label.isprintable():
        return None
    return Wish(verb, label, GroupId(group)) if label or verb is Verb.LEAD else None
