"""What is wrong with a write in a session is named by every node, and nothing of it is done."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import ResponseError

from pnyx.harness.cluster import Cluster
from pnyx.harness.resp import packed
from pnyx.machine.sessions import SESSIONS_PER_USER_MAX

pytestmark = pytest.mark.real

LIFE_MS = 60_000
AT_ONCE = 512
FULL_S_MAX = 600


class Node:
    """A connection to one node."""

    def __init__(self, port: int) -> None:
        self.connection: Any = redis.Redis(port=port).connection_pool.make_connection()

    def told(self, payload: bytes) -> Any:
        """Return the one reply to what is sent, an error as its text."""
        self.connection.send_packed_command([payload])
        return self.reply()

    def reply(self) -> Any:
        try:
            return self.connection.read_response()
        except ResponseError as error:
            return str(error)

    def ask(self, *words: bytes | str | int) -> Any:
        return self.told(packed(words))


class Session:
    """A session that says whatever it is told to."""

    def __init__(self, node: Node) -> None:
        name, self.clock_ms, self.ahead_ms_max, self.window = node.ask("PNYX.SESSION")
        self.name = name.decode()

    def say(
        self, node: Node, *words: bytes | str | int, sequence: int, ack: int = 0, ms: int = LIFE_MS
    ) -> Any:
        prefix = packed(("PNYX.SEQ", self.name, sequence, ack, self.clock_ms + ms))
        return node.told(prefix + packed(words))


@pytest.fixture
def nodes(shared: Cluster) -> Iterator[list[Node]]:
    """All three, of which one leads."""
    found = [Node(each.ports.gateway) for each in shared.nodes.values()]
    found[0].ask("DEL", "{s}k", "{s}other")
    yield found
    for each in found:
        each.connection.disconnect()


def test_every_node_refuses_by_name_what_a_session_may_not_and_does_nothing(
    nodes: list[Node],
) -> None:
    session = Session(nodes[0])
    assert session.say(nodes[0], "INCR", "{s}k", sequence=1) == 1
    for node in nodes:
        said = {
            "PX0212": session.say(node, "DECR", "{s}k", sequence=1),
            "PX0208": session.say(node, "INCR", "{s}k", sequence=session.window + 1),
            "UNKNOWN PX0206": session.say(node, "INCR", "{s}k", sequence=2, ms=-1),
            "PX0209": session.say(
                node, "INCR", "{s}k", sequence=2, ms=session.ahead_ms_max + 10 * LIFE_MS
            ),
            "PX0214": session.say(node, "INCR", "{s}k", sequence=-1),
            "PX0215": session.say(node, "FLUSHALL", sequence=2),
            "Keys in request": session.say(node, "MSET", "{s}k", 9, "other", 9, sequence=2),
        }
        for code, text in said.items():
            assert str(text).startswith(code), (code, text)
        assert node.ask("MGET", "{s}k", "{s}other") == [b"1", None]
    # None of those used the number, nor the window.
    assert session.say(nodes[1], "INCR", "{s}k", sequence=2) == 2


def test_what_was_acknowledged_is_refused_at_every_node_and_the_first_answer_is_told_until_then(
    nodes: list[Node],
) -> None:
    session = Session(nodes[0])
    assert [session.say(node, "INCR", "{s}k", sequence=1) for node in nodes] == [1, 1, 1]
    assert session.say(nodes[2], "INCR", "{s}k", sequence=2, ack=1) == 2
    for node in nodes:
        text = session.say(node, "INCR", "{s}k", sequence=1)
        assert str(text).startswith("UNKNOWN PX0207"), text
        assert node.ask("GET", "{s}k") == b"2"


@pytest.mark.slow
def test_a_full_table_takes_no_new_session_and_forgets_no_old_one() -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        node = Node(cluster.nodes["n1"].ports.gateway)
        session = Session(node)
        life_ms = session.ahead_ms_max - 10 * LIFE_MS
        missing = list(range(SESSIONS_PER_USER_MAX))
        answers: dict[int, Any] = {}
        # A leader may change meanwhile: what is sent again is done once.
        ends_s = time.monotonic() + FULL_S_MAX
        while missing:
            assert time.monotonic() < ends_s, f"{len(missing)} sessions are missing"
            some, missing = missing[:AT_ONCE], missing[AT_ONCE:]
            node.connection.send_packed_command([_first(session, each, life_ms) for each in some])
            answers |= {each: node.reply() for each in some}
            missing += [each for each in some if not isinstance(answers[each], int)]
        refused = node.told(_first(session, SESSIONS_PER_USER_MAX, life_ms))
        assert str(refused).startswith("PX0210"), refused
        # A retry of an old one gets its first answer; another shard has room.
        assert node.told(_first(session, 0, life_ms)) == answers[0]
        assert session.say(node, "INCR", "elsewhere", sequence=1, ms=life_ms) == 1
        assert node.ask("GET", "k") == b"%d" % SESSIONS_PER_USER_MAX
        node.connection.disconnect()


def _first(session: Session, number: int, life_ms: int) -> bytes:
    """Return the first write of the session of that number."""
    name = b"%032x" % number
    return packed(("PNYX.SEQ", name, 1, 0, session.clock_ms + life_ms)) + packed(("INCR", "k"))
