"""A node's http page: is it alive, is it ready, what does it count, what does it know.

Only this file knows aiohttp, and only the node's start imports it. Reading needs no password (keep
the port off the internet). What changes something is in control.py, and fault requests, which
are obeyed where ``faults = true``.
A request whose Host is none of this node's is refused: a web page must not be able to point a name
of its own at this port and read it through a visitor's browser (DNS rebinding).
"""

import errno
import ipaddress
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

import msgspec
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pnyx import __version__
from pnyx.consensus.membership import Membership
from pnyx.errors import AddressTaken, PnyxError, SettingsWrong
from pnyx.ids import GroupId, Term
from pnyx.machine.directives import AnyDirective
from pnyx.node.control import Control, json_of
from pnyx.node.directing import Told as Directed
from pnyx.node.members import Told, Wish
from pnyx.node.metrics import Metrics
from pnyx.node.settings import Settings, is_loopback
from pnyx.node.status import NOWHERE, GroupStatus, LogPosition, Topology, free_bytes
from pnyx.replica.arrival import Progress
from pnyx.transport.handshake import PROTOCOL

BODY_BYTES_MAX: Final = 64 * 1024
STOP_S: Final = 1.0
"""How long a stop waits for answers that are under way."""

_log = structlog.get_logger("pnyx.http")
_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Observed(Protocol):
    """The node, as its page knows it."""

    @property
    def settings(self) -> Settings: ...

    @property
    def boot(self) -> int: ...

    @property
    def metrics(self) -> Metrics: ...

    def ready(self) -> tuple[bool, str]:
        """Does it know a leader, and is what is committed nearly applied? If not, why."""
        ...

    def topology(self) -> Topology: ...

    def position(self, group: GroupId) -> LogPosition: ...

    def disk_bytes(self) -> int: ...

    def cut_from(self, labels: Collection[str]) -> None:
        """Cut the links to exactly these nodes; SettingsWrong if one is unknown."""
        ...

    def controller(self) -> GroupStatus | None:
        """What is known of the controller; None until the cluster has formed."""
        ...

    def moves(self) -> tuple[Sequence[Progress], Sequence[Progress]]:
        """The moves to groups that lead here: under way, and the last ones that ended."""
        ...

    def memberships(self) -> Mapping[GroupId, Membership]:
        """The newest membership of each group that has a replica here."""
        ...

    async def change_members(self, wish: Wish) -> Told: ...

    async def direct(self, directive: AnyDirective) -> Directed: ...


class Page:
    """The http server of one node."""

    def __init__(self, node: Observed) -> None:
        self._node = node
        self._runner: web.AppRunner | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Exposition(node))
        self._control = Control(node)

    async def start(self) -> None:
        """Listen on http_port.

        Raises:
            AddressTaken: another process listens there.
            SettingsWrong: the address is not one of this machine.
        """
        host, port = self._node.settings.me.host, self._node.settings.me.http_port
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=STOP_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise _cannot_listen(error, host, port) from error
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening and close."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/v1/status", self._status)
        application.router.add_get("/v1/moves", self._moves)
        application.router.add_post("/v1/members", self._control.members)
        application.router.add_post("/v1/controller", self._control.controller)
        if self._node.settings.faults:
            application.router.add_post("/v1/faults", self._faults)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Answer) -> web.StreamResponse:
        if not _is_own(request.host, self._node.settings):
            text = "this node does not know that name; ask by address, or by its host setting\n"
            return web.Response(status=403, text=text)
        return await handler(request)

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready, why = self._node.ready()
        return web.Response(status=200 if ready else 503, text=f"{'ok' if ready else why}\n")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(document(self._node))

    async def _moves(self, _request: web.Request) -> web.Response:
        under_way, ended = self._node.moves()
        said = {"under_way": under_way, "ended": ended}
        return web.Response(body=msgspec.json.encode(said), content_type="application/json")

    async def _faults(self, request: web.Request) -> web.Response:
        """Take ``{"cut": true}``, ``{"cut": ["n2"]}`` or ``{"cut": []}`` (heal)."""
        try:
            cut = _wanted_cut(await request.read(), self._node.settings)
            self._node.cut_from(cut)
        except PnyxError as error:
            return web.Response(status=400, text=error.explain() + "\n")
        _log.warning("fault", cut=",".join(cut) or "none")
        return web.json_response({"cut": cut})


def document(node: Observed) -> dict[str, Any]:
    """Return what /v1/status says."""
    settings, topology = node.settings, node.topology()
    group, position = _headline(node, topology)
    ready, why = node.ready()
    controller = node.controller()
    return {
        "label": settings.name,
        "version": __version__,
        "protocol": PROTOCOL,
        "cluster_id": settings.cluster_id,
        "boot": node.boot,
        "ready": ready,
        "why_not_ready": "" if ready else why,
        "me": topology.me,
        "leader": group.leader,
        "term": group.term,
        "quorum": group.quorum,
        "members": [asdict(member) for member in topology.members],
        "membership": None if controller is None else _group(node, controller)["membership"],
        "commit_index": position.commit,
        "applied_index": position.applied,
        "followers_at_commit": position.followers_at_commit,
        "disk_bytes": node.disk_bytes(),
        "disk_free_bytes": free_bytes(settings.data),
        "low_space": _low_space(settings),
        "configuration": topology.number,
        "owners": topology.owners,
        "controller": None if controller is None else _group(node, controller),
        "groups": [_group(node, one) for one in topology.groups],
    }


def _low_space(settings: Settings) -> bool:
    """Is so little of the disk free that this node takes no writes?"""
    free = free_bytes(settings.data)
    return free is not None and free < settings.storage.low_space_bytes


def _group(node: Observed, status: GroupStatus) -> dict[str, Any]:
    membership = _membership(node.memberships().get(status.group))
    return asdict(status) | asdict(node.position(status.group)) | {"membership": membership}


def _headline(node: Observed, topology: Topology) -> tuple[GroupStatus, LogPosition]:
    """Return the first group and its position: what is said where only one is expected."""
    if topology.groups:
        return topology.groups[0], node.position(topology.groups[0].group)
    return GroupStatus(GroupId(0), None, Term(0), quorum=False, voters=()), NOWHERE


def _membership(membership: Membership | None) -> dict[str, Any] | None:
    if membership is None:
        return None
    return {
        "voters": [f"{node:x}" for node in membership.voters],
        "outgoing": [f"{node:x}" for node in membership.outgoing],
        "learners": [f"{node:x}" for node in membership.learners],
        "names": {label: f"{node:x}" for label, node in membership.names},
        "retired": [f"{node:x}" for node in membership.retired],
    }


class _Exposition(Collector):
    """A node's metrics, in the words of the Prometheus client."""

    def __init__(self, node: Observed) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """Yield everything, read now."""
        metrics = self._node.metrics
        yield from _own_gauges(self._node)
        for gauge in metrics.gauges():
            yield GaugeMetricFamily(f"pnyx_{gauge.name}", gauge.text, value=gauge.read())
        for name, text, values in metrics.counts():
            labels = () if "" in values else ("kind",)
            family = CounterMetricFamily(f"pnyx_{name}", text, labels=labels)
            for label, value in sorted(values.items()):
                family.add_metric((label,) if labels else (), value)
            yield family
        for name, histogram in metrics.histograms.items():
            buckets: list[tuple[str, float]] = []
            seen = 0
            for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
                seen += count
                buckets.append((str(bound), seen))
            yield HistogramMetricFamily(
                f"pnyx_{name}", histogram.text, buckets=buckets, sum_value=histogram.total
            )


def _own_gauges(node: Observed) -> Iterator[Metric]:
    topology = node.topology()
    group, position = _headline(node, topology)
    reachable = sum(member.reachable for member in topology.members)
    leads = group.quorum and group.leader == topology.me
    for name, text, value in (
        ("ready", "1 if this node serves.", node.ready()[0]),
        ("quorum", "1 if a leader is known now.", group.quorum),
        ("leads", "1 if it is this node.", leads),
        ("term", "Newest term heard of.", group.term),
        ("commit_index", "Newest entry known to be committed.", position.commit),
        ("applied_index", "Newest entry applied here.", position.applied),
        ("voters", "Nodes that count in a quorum.", len(group.voters)),
        ("nodes_reachable", "Nodes with both links up, this one included.", reachable),
        ("disk_bytes", "Bytes in the data directory.", node.disk_bytes()),
        ("low_space", "1 if less of the disk is free than writes need.", _low_space(node.settings)),
    ):
        yield GaugeMetricFamily(f"pnyx_{name}", text, value=float(value))
    free = free_bytes(node.settings.data)
    if free is not None:
        yield GaugeMetricFamily("pnyx_disk_free_bytes", "Bytes free on its disk.", value=free)


def _wanted_cut(body: bytes, settings: Settings) -> list[str]:
    try:
        asked = json_of(body)
    except ValueError:
        asked = None
    others = sorted(settings.nodes.keys() - {settings.name})
    match asked:
        case {"cut": True, **rest} if not rest:
            return others
        case {"cut": [*labels], **rest} if not rest and all(isinstance(x, str) for x in labels):
            return sorted(set(labels))
    raise SettingsWrong(
        "this is no fault request; nothing changed",
        cause=f"got {body[:100]!r}",
        next_step='send {"cut": true}, {"cut": ["n2"]}, or {"cut": []} to heal',
    )


def _is_own(said: str, settings: Settings) -> bool:
    """Is `said`, a Host header, an address, or a name this node is configured with?"""
    name = said.rpartition(":")[0] if said.rpartition(":")[2].isdecimal() else said
    name = name.strip("[]").lower()
    try:
        # A browser that was led here by a name says that name, never an address.
        ipaddress.ip_address(name)
    except ValueError:
        return name == settings.me.host.lower() or is_loopback(name)
    return True


def _cannot_listen(error: OSError, host: str, port: int) -> PnyxError:
    if error.errno == errno.EADDRINUSE:
        return AddressTaken(
            f"the http port {host}:{port} is taken",
            cause="another process listens there",
            next_step="stop it, or change http_port of this node in every node's file",
        )
    return SettingsWrong(
        f"cannot listen for http on {host}:{port}",
        cause=str(error),
        next_step="make host an address of this machine, in every node's file",
    )
