"""The page of a node, asked over a real socket."""

import asyncio
import base64
import json
import socket
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pnyx.consensus.membership import Membership
from pnyx.errors import AddressTaken, SettingsWrong
from pnyx.ids import Epoch, GroupId, Index, NodeId, ShardId, Term
from pnyx.machine.configuration import (
    Configuration,
    Directory,
    Member as Placed,
    Placement,
    Serving,
    encode,
)
from pnyx.machine.directives import (
    AnyDirective,
    Join,
    Leave,
    Move,
    Plan,
    Query,
    Retire,
    Whereabouts,
)
from pnyx.node import control, http
from pnyx.node.directing import Told as Directed
from pnyx.node.http import Page
from pnyx.node.members import Told, Verb, Wish
from pnyx.node.metrics import Metrics
from pnyx.node.settings import NodeAddress, Settings
from pnyx.node.status import GroupStatus, LogPosition, Member, Topology
from pnyx.replica.arrival import Progress, Stage
from pnyx.transport.counts import Counts

HOST = "127.0.0.1"


MOVED = Progress(
    ShardId(3), Epoch(1), GroupId(1), GroupId(2), Stage.ACTIVATED, 9, 1_000, 2, 40, 12, ""
)


class Observed:
    """A node that only tells."""

    boot = 7

    def __init__(self, port: int, *, faults: bool, password: str) -> None:
        nodes = {"n1": NodeAddress(host=HOST, http_port=port), "n2": NodeAddress(host="127.0.0.2")}
        self.settings = Settings(
            name="n1",
            cluster_id="ab" * 16,
            data=Path("d"),
            nodes=nodes,
            faults=faults,
            requirepass=password,
        )
        self.metrics = Metrics()
        self.leader: NodeId | None = NodeId(1)
        self.cut: Collection[str] = ()
        self.wishes: list[Wish] = []
        self.told = Told("done")
        self.directives: list[AnyDirective] = []
        self.directed = Directed("done")

    def ready(self) -> tuple[bool, str]:
        return (True, "") if self.leader else (False, "no leader is known")

    def topology(self) -> Topology:
        member = Member(NodeId(1), "n1", HOST, 1, 2, 3, 4, reachable=True)
        quorum = self.leader is not None
        group = GroupStatus(GroupId(1), self.leader, Term(3), quorum=quorum, voters=(NodeId(1),))
        return Topology(NodeId(1), (member,), (group,), (GroupId(1),) * 4, number=7)

    def position(self, _group: GroupId) -> LogPosition:
        return LogPosition(3, Index(9), Index(8), 1)

    def disk_bytes(self) -> int:
        return 4_096

    def controller(self) -> GroupStatus:
        return GroupStatus(GroupId(0), NodeId(1), Term(2), quorum=True, voters=(NodeId(1),))

    def moves(self) -> tuple[list[Progress], list[Progress]]:
        return [], [MOVED]

    def memberships(self) -> dict[GroupId, Membership]:
        membership = Membership((NodeId(1),), names=(("n1", NodeId(1)),), retired=(NodeId(10),))
        return {GroupId(0): membership}

    async def direct(self, directive: AnyDirective) -> Directed:
        self.directives.append(directive)
        return self.directed

    async def change_members(self, wish: Wish) -> Told:
        self.wishes.append(wish)
        return self.told

    def cut_from(self, labels: Collection[str]) -> None:
        if set(labels) - {"n2"}:
            raise SettingsWrong("cannot cut links to them")
        self.cut = labels


class Asking:
    """A page on a port of its own, and requests to it."""

    def __init__(self, *, faults: bool = False, password: str = "") -> None:
        with socket.create_server((HOST, 0)) as sock:
            self.port: int = sock.getsockname()[1]
        self.node = Observed(self.port, faults=faults, password=password)
        self.page = Page(self.node)

    async def __aenter__(self) -> "Asking":
        await self.page.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.page.stop()

    async def ask(
        self, path: str, body: str | bytes | None = None, host: str | None = None, more: str = ""
    ) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        method = "GET" if body is None else "POST"
        head = f"{method} {path} HTTP/1.1\r\nHost: {host or f'{HOST}:{self.port}'}\r\n"
        content = body if isinstance(body, bytes) else (body or "").encode()
        head += more
        head += f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        return int(answer.split(" ")[1]), answer.partition("\r\n\r\n")[2]


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_a_node_without_leader_is_alive_but_not_ready_and_says_why() -> None:
    async def story() -> None:
        async with Asking() as asking:
            assert await asking.ask("/readyz") == (200, "ok\n")
            asking.node.leader = None
            assert await asking.ask("/readyz") == (503, "no leader is known\n")
            assert await asking.ask("/livez") == (200, "ok\n")

    run(story)


def test_status_tells_leader_members_and_indexes() -> None:
    async def story() -> None:
        async with Asking() as asking:
            status, body = await asking.ask("/v1/status")
            told = json.loads(body)
            assert status == 200
            assert (told["label"], told["me"], told["leader"], told["quorum"]) == ("n1", 1, 1, True)
            assert (told["commit_index"], told["applied_index"], told["disk_bytes"]) == (9, 8, 4096)
            assert told["members"][0]["label"] == "n1"
            assert told["members"][0]["reachable"] is True
            assert told["membership"] == {
                "voters": ["1"], "outgoing": [], "learners": [], "names": {"n1": "1"},
                "retired": ["a"],
            }  # fmt: skip
            assert told["controller"]["membership"] == told["membership"]
            (group,) = told["groups"]
            assert (group["group"], group["leader"], group["membership"]) == (1, 1, None)

    run(story)


def test_status_and_metrics_tell_that_the_disk_has_too_little_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        async with Asking() as asking:
            for free, low in ((asking.node.settings.storage.low_space_bytes, 0), (1_000, 1)):
                monkeypatch.setattr(http, "free_bytes", lambda _data, free=free: free)
                told = json.loads((await asking.ask("/v1/status"))[1])
                assert (told["low_space"], told["disk_free_bytes"]) == (low == 1, free)
                metrics = (await asking.ask("/metrics"))[1].splitlines()
                assert f"pnyx_low_space {low}.0" in metrics

    run(story)


def test_moves_are_told_with_how_long_nobody_served_the_shard() -> None:
    async def story() -> None:
        async with Asking() as asking:
            status, text = await asking.ask("/v1/moves")
            told = json.loads(text)
            assert (status, told["under_way"]) == (200, [])
            assert told["ended"][0]["stage"] == "activated"
            assert told["ended"][0]["freeze_ms"] == 12

    run(story)


def test_metrics_show_gauges_counters_and_histograms() -> None:
    async def story() -> None:
        async with Asking() as asking:
            counts = Counts(bad_frames=2)
            asking.node.metrics.watch("transport", lambda: counts)
            asking.node.metrics.gauge("clients", "Connected clients.", lambda: 5)
            asking.node.metrics.synced(0.000_15)
            asking.node.metrics.synced(9.0)
            _, body = await asking.ask("/metrics")
            lines = set(body.splitlines())
            assert {
                "pnyx_leads 1.0",
                "pnyx_clients 5.0",
                "pnyx_transport_bad_frames_total 2.0",
                'pnyx_sync_seconds_bucket{le="0.0001"} 0.0',
                'pnyx_sync_seconds_bucket{le="0.0002"} 1.0',
                'pnyx_sync_seconds_bucket{le="+Inf"} 2.0',
                "pnyx_sync_seconds_count 2.0",
            } <= lines

    run(story)


@pytest.mark.parametrize(
    ("body", "cut"), [('{"cut": true}', ["n2"]), ('{"cut": ["n2"]}', ["n2"]), ('{"cut": []}', [])]
)
def test_a_fault_request_cuts_and_heals(body: str, cut: list[str]) -> None:
    async def story() -> None:
        async with Asking(faults=True) as asking:
            asking.node.cut = ["before"]
            assert await asking.ask("/v1/faults", body) == (200, json.dumps({"cut": cut}))
            assert asking.node.cut == cut

    run(story)


@pytest.mark.parametrize(
    "body", ["", "[]", '{"cut": 1}', '{"cut": [1]}', '{"cut": [], "x": 1}', '{"cut": ["n9"]}']
)
def test_a_fault_request_that_cannot_be_meant_changes_nothing(body: str) -> None:
    async def story() -> None:
        async with Asking(faults=True) as asking:
            status, text = await asking.ask("/v1/faults", body)
            assert status == 400
            assert text.startswith("error[PX0101]")
            assert asking.node.cut == ()

    run(story)


def test_without_faults_there_are_no_fault_requests() -> None:
    async def story() -> None:
        async with Asking() as asking:
            status, _ = await asking.ask("/v1/faults", '{"cut": true}')
            assert status == 404
            assert asking.node.cut == ()

    run(story)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),
        ("evil.example:8301", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost:8301", 200),
        ("10.1.2.3", 200),
        ("[::1]:8301", 200),
    ],
)
def test_a_name_of_somebody_else_is_refused(host: str, status: int) -> None:
    async def story() -> None:
        async with Asking() as asking:
            assert (await asking.ask("/v1/status", host=host))[0] == status

    run(story)


def test_a_taken_http_port_is_said_so() -> None:
    async def story() -> None:
        async with Asking() as asking:
            with pytest.raises(AddressTaken, match="is taken"):
                await Page(asking.node).start()

    run(story)


JSON = "Content-Type: application/json\r\n"


def basic(password: str) -> str:
    word = base64.b64encode(f"default:{password}".encode()).decode()
    return f"{JSON}Authorization: Basic {word}\r\n"


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ('{"add": "n4"}', Wish(Verb.ADD, "n4")),
        ('{"remove": "n1"}', Wish(Verb.REMOVE, "n1")),
        ('{"lead": ""}', Wish(Verb.LEAD)),
        ('{"lead": "n2", "group": 3}', Wish(Verb.LEAD, "n2", GroupId(3))),
    ],
)
def test_a_change_of_members_is_handed_on_and_answered(body: str, wish: Wish) -> None:
    async def story() -> None:
        async with Asking() as asking:
            status, told = await asking.ask("/v1/members", body, more=JSON)
            assert (status, json.loads(told)) == (200, {"outcome": "done", "reason": ""})
            assert asking.node.wishes == [wish]

    run(story)


def test_a_node_that_does_not_lead_says_who_does_and_where() -> None:
    async def story() -> None:
        async with Asking() as asking:
            asking.node.told = Told("elsewhere", leader=NodeId(1))
            _, told = await asking.ask("/v1/members", '{"add": "n4"}', more=JSON)
            assert json.loads(told) == {
                "outcome": "elsewhere", "reason": "", "leader": "n1", "host": HOST, "port": 4,
            }  # fmt: skip

    run(story)


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"add": 1}', '{"add": ""}', '{"add": "a", "remove": "b"}', '{"x": "n1"}',
     '{"remove": "%s"}' % ("n" * 65)],
)  # fmt: skip
def test_what_is_no_change_of_members_changes_nothing(body: str) -> None:
    async def story() -> None:
        async with Asking() as asking:
            assert (await asking.ask("/v1/members", body, more=JSON))[0] == 400
            assert asking.node.wishes == []

    run(story)


@pytest.mark.parametrize(
    "more", ["", "Content-Type: text/plain\r\n", f"{JSON}Origin: http://evil.example\r\n"]
)
def test_a_web_page_cannot_change_members(more: str) -> None:
    async def story() -> None:
        async with Asking() as asking:
            assert (await asking.ask("/v1/members", '{"add": "n4"}', more=more))[0] == 415
            assert asking.node.wishes == []

    run(story)


def test_members_change_for_the_password_only_and_guesses_wait_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control, "WRONG_S", 0.2)

    async def story() -> None:
        async with Asking(password="s3cret") as asking:
            guesses = [
                asking.ask("/v1/members", '{"add": "n4"}', more=basic(guess)) for guess in "abc"
            ]
            found = sorted(status for status, _ in await asyncio.gather(*guesses))
            assert found == [401, 429, 429]
            assert (await asking.ask("/v1/members", '{"add": "n4"}', more=JSON))[0] == 401
            assert asking.node.wishes == []
            right = await asking.ask("/v1/members", '{"add": "n4"}', more=basic("s3cret"))
            assert right[0] == 200

    run(story)


# The controller.

MEMBER = Placed("n1", f"{HOST}:3", NodeId(1))
PLACEMENT = Placement(GroupId(4), (MEMBER,))
JOIN = Join((PLACEMENT,))


@pytest.mark.parametrize(
    ("body", "directive"),
    [
        ('{"join": {"4": ["n1"]}}', JOIN),
        ('{"join": {"4": ["n1"]}, "shared": true}', Join((PLACEMENT,), shared=True)),
        ('{"leave": [2, 3]}', Leave((GroupId(2), GroupId(3)))),
        ('{"move": 7, "to": 2}', Move(ShardId(7), GroupId(2))),
        ('{"retire": 2}', Retire(GroupId(2))),
        ('{"plan": {"leave": [2]}}', Plan(Leave((GroupId(2),)))),
        ('{"query": 3}', Query(3)),
        ('{"query": null}', Query()),
        ('{"whereabouts": null}', Whereabouts()),
    ],
)
def test_the_controller_is_told_what_the_words_say(body: str, directive: AnyDirective) -> None:
    async def story() -> None:
        async with Asking() as asking:
            status, said = await asking.ask("/v1/controller", body, more=JSON)
            assert status == 200
            assert json.loads(said) == {"outcome": "done", "reason": "", "result": None}
            assert asking.node.directives == [directive]

    run(story)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"join": {"4": ["n9"]}}',
        '{"join": {"x": ["n1"]}}',
        '{"join": {"4": "n1"}}',
        '{"join": {"4": ["n1"]}, "shared": 1, "x": 2}',
        '{"leave": ["2"]}',
        '{"move": 7}',
        '{"plan": {"retire": 2}}',
        '{"query": "3"}',
        # In an entry of the log a truth would stop every node that decodes it.
        '{"move": true, "to": 2}',
        '{"move": 7, "to": true}',
        '{"retire": true}',
        '{"query": false}',
        '{"plan": {"move": true, "to": 2}}',
        '{"move": 340282366920938463463374607431768211456, "to": 2}',
        '{"join": {"4": [["n1"]]}}',
        "[" * 30_000,
    ],
)
def test_words_that_say_nothing_to_the_controller_are_refused(body: str) -> None:
    async def story() -> None:
        async with Asking() as asking:
            assert (await asking.ask("/v1/controller", body, more=JSON))[0] == 400
            assert asking.node.directives == []

    run(story)


def test_configurations_and_the_directory_are_shown_in_plain_values() -> None:
    configuration = Configuration(2, (GroupId(4), GroupId(4)), (PLACEMENT,))
    serving = Serving(Epoch(3), GroupId(4), GroupId(5))

    async def story() -> None:
        async with Asking() as asking:
            asking.node.directed = Directed("done", result=encode(configuration))
            _, said = await asking.ask("/v1/controller", '{"query": null}', more=JSON)
            shown = json.loads(said)["result"]
            assert (shown["number"], shown["targets"]) == (2, [4, 4])
            assert shown["placements"][0]["members"][0]["label"] == "n1"
            asking.node.directed = Directed("done", result=encode(Directory((serving,))))
            _, said = await asking.ask("/v1/controller", '{"whereabouts": null}', more=JSON)
            assert json.loads(said)["result"]["shards"] == [
                {"epoch": 3, "group": 4, "destination": 5}
            ]

    run(story)


def test_the_controller_is_not_told_anything_by_strangers() -> None:
    async def story() -> None:
        async with Asking(password="right") as asking:
            assert (await asking.ask("/v1/controller", '{"retire": 2}', more=JSON))[0] == 401
            assert (await asking.ask("/v1/controller", '{"retire": 2}'))[0] == 415
            assert asking.node.directives == []

    run(story)


@pytest.mark.parametrize("path", ["/v1/members", "/v1/controller", "/v1/faults"])
@pytest.mark.parametrize("body", [b"[" * 30_000, b"\xff\xfe{", b'{"add": "\\ud800"}'])
def test_a_body_that_is_no_json_is_refused_and_no_fault_of_ours(path: str, body: bytes) -> None:
    async def story() -> None:
        async with Asking(faults=True) as asking:
            assert (await asking.ask(path, body, more=JSON))[0] == 400

    run(story)


def test_a_body_in_an_unknown_encoding_is_read_as_json_is() -> None:
    async def story() -> None:
        async with Asking() as asking:
            more = "Content-Type: application/json; charset=foo\r\n"
            assert (await asking.ask("/v1/controller", '{"query": 3}', more=more))[0] == 200

    run(story)
