"""Clients that ask to be told of moves are told in the words that redis-py reads."""

from typing import Any

import pytest
import redis
from redis._parsers.base import MaintenanceNotificationsParser

from gateway.running import Running, running
from gateway.test_roles import topology
from pnyx.gateway.notices import Notices, spelled
from pnyx.ids import GroupId
from pnyx.machine.slots import EVERY_SLOT

ON = (b"CLIENT", b"MAINT_NOTIFICATIONS", b"ON", b"moving-endpoint-type", b"internal-ip")


def read(push: bytes) -> Any:
    """Return a push as redis-py's own parser makes it."""
    untyped: Any = redis
    parser = untyped._parsers._RESP3Parser(1 << 16)
    parser.encoder = untyped.Connection().encoder
    left = bytearray(push)

    class Buffer:
        def readline(self, **_: object) -> bytes:
            line, _end, rest = bytes(left).partition(b"\r\n")
            left[:] = rest
            return line

        def read(self, size: int, **_: Any) -> bytes:
            value = bytes(left[:size])
            del left[: size + 2]
            return value

    parser._buffer = Buffer()
    heard: list[Any] = []
    parser.pubsub_push_handler_func = heard.append
    parser.oss_cluster_maint_push_handler_func = heard.append
    parser.maintenance_push_handler_func = None
    parser._read_response(push_request=True)
    return heard[0]


def test_a_move_is_told_as_redis_py_reads_it() -> None:
    notices = Notices()
    assert notices.look(topology((1, 1, 2, 2), g1=1, g2=2)) == []
    (push,) = notices.look(topology((1, 2, 2, 2), g1=1, g2=2))
    notification = read(push)
    assert notification.nodes_to_slots_mapping == {"h:2": [{"h:2": "4096-8191"}]}
    assert notices.look(topology((1, 2, 2, 2), g1=1, g2=2)) == []


def test_a_move_before_the_first_look_is_told_to_who_asked_before_it() -> None:
    notices = Notices()
    notices.begin(topology((1, 1, 2, 2), g1=1, g2=2))
    notices.begin(topology((1, 2, 2, 2), g1=1, g2=2))
    assert len(notices.look(topology((1, 2, 2, 2), g1=1, g2=2))) == 1


def test_a_move_between_groups_of_one_process_and_a_new_leader_are_no_news() -> None:
    notices = Notices()
    notices.look(topology((1, 1, 2, 2), g1=1, g2=1))
    assert notices.look(topology((1, 2, 2, 2), g1=1, g2=1)) == []
    assert notices.look(topology((1, 2, 2, 2), g1=1, g2=3)) == []


def test_a_shard_that_sets_out_is_told_by_its_leaders_process_alone() -> None:
    for leader, told in ((1, 1), (3, 0)):
        notices, seen = Notices(), topology((1, 1, 2, 2), g1=leader, g2=2)
        notices.look(seen)
        object.__setattr__(seen, "moving", frozenset({0}))
        object.__setattr__(seen, "moved", 7)
        pushes = notices.look(seen)
        assert len(pushes) == told
        for push in pushes:
            assert push == b">3\r\n$10\r\nSMIGRATING\r\n:7\r\n$6\r\n0-4095\r\n"
            words: Any = MaintenanceNotificationsParser
            said = words.parse_oss_maintenance_start_msg([b"SMIGRATING", 7, b"0-4095"])
            assert said.slots == "0-4095"
        assert notices.look(seen) == []


def test_slots_are_spelled_as_in_cluster_nodes() -> None:
    assert spelled(((0, 3), (5, 5))) == b"0-3,5"
    assert spelled(EVERY_SLOT) == b"0-16383"


def test_only_who_asked_in_resp3_on_the_cluster_port_is_told() -> None:
    with running(groups=2) as gateway:
        asked, silent = gateway.connect(cluster=True), gateway.connect(cluster=True)
        for connection in (asked, silent):
            connection.ask(b"HELLO", b"3")
        assert asked.ask(*ON) == b"+OK\r\n"
        notice = b">1\r\n$1\r\nx\r\n"
        for one in list(gateway.gateway.lobby.connections.values()):
            gateway.on_loop(lambda one=one: one.notify(notice))  # type: ignore[misc]
        assert asked.reply() == notice
        assert silent.ask(b"PING") == b"+PONG\r\n"
        assert asked.ask(b"CLIENT", b"MAINT_NOTIFICATIONS", b"OFF") == b"+OK\r\n"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ((b"CLIENT", b"MAINT_NOTIFICATIONS", b"MAYBE"), b"-ERR syntax error"),
        ((*ON[:3], b"moving-endpoint-type"), b"-ERR syntax error"),
        ((*ON[:4], b"elsewhere"), b"-ERR syntax error"),
        (ON, b"-ERR maintenance notifications are for the cluster port and RESP3"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    gateway: Running, words: tuple[bytes, ...], reply: bytes
) -> None:
    assert gateway.connect().ask(*words).startswith(reply)


def test_the_watch_looks_about_once_a_second() -> None:
    with running(groups=2) as gateway:
        store = gateway.store
        store.leaders[GroupId(2)] = store.topology().members[1].node
        connection = gateway.connect(cluster=True)
        connection.ask(b"HELLO", b"3")
        connection.ask(*ON)
        gateway.wait_for(lambda: gateway.gateway.lobby.notices._owners != ())
        gateway.on_loop(lambda: store.owners.__setitem__(0, GroupId(2)))
        push = connection.reply()
        port = store.settings.me.cluster_port
        assert push.startswith(b">3\r\n$9\r\nSMIGRATED\r\n")
        assert b"127.0.0.1:%d\r\n" % port in push
        assert b"127.0.0.1:2\r\n" in push
