"""The Redis Cluster dialect: redirections, one role a process, READONLY, CROSSSLOT."""

import pytest

from differential.raw import RawConnection, parsed
from gateway.local import ME, OTHER
from gateway.running import Running
from pnyx.machine.slots import slot_of
from pnyx.replica.requests import Elsewhere

SLOT = slot_of(b"k")
MOVED = b"-MOVED %d 127.0.0.1:2\r\n" % SLOT


def following(gateway: Running) -> RawConnection:
    """Return a connection to the cluster port of a node that follows n2."""
    gateway.store.leader = OTHER
    return gateway.connect(cluster=True)


def test_a_leader_serves_and_a_follower_redirects(gateway: Running) -> None:
    assert gateway.connect(cluster=True).ask(b"SET", b"k", b"v") == b"+OK\r\n"
    connection = following(gateway)
    assert connection.ask(b"GET", b"k") == MOVED
    assert connection.ask(b"SET", b"k", b"v") == MOVED
    assert connection.ask(b"PING") == b"+PONG\r\n"


def test_a_follower_submits_nothing_that_it_redirects(gateway: Running) -> None:
    gateway.store.keeps_submitted = True
    following(gateway).ask(b"SET", b"k", b"v")
    submitted, gateway.store.submitted = gateway.store.submitted, []
    gateway.store.keeps_submitted = False
    assert submitted == []


def test_without_a_quorum_the_request_waits_below_and_is_then_redirected(gateway: Running) -> None:
    connection = following(gateway)
    gateway.store.quorum = False
    gateway.store.answer = lambda _request: Elsewhere(OTHER)
    assert connection.ask(b"SET", b"k", b"v") == MOVED


def test_the_gateway_port_forwards_instead_of_redirecting(gateway: Running) -> None:
    gateway.store.leader = OTHER
    gateway.store.keeps_submitted = True
    assert gateway.connect().ask(b"SET", b"k", b"v") == b"+OK\r\n"
    submitted, gateway.store.submitted = gateway.store.submitted, []
    gateway.store.keeps_submitted = False
    assert [request.forward for request in submitted] == [True]


def test_the_gateway_port_never_says_moved(gateway: Running) -> None:
    gateway.store.answer = lambda _request: Elsewhere(OTHER)
    assert gateway.connect().ask(b"GET", b"k").startswith(b"-CLUSTERDOWN PX0107 ")


def test_readonly_lets_a_follower_answer_reads_but_no_writes(gateway: Running) -> None:
    gateway.connect().ask(b"SET", b"k", b"v")
    connection = following(gateway)
    assert connection.ask(b"READONLY") == b"+OK\r\n"
    assert connection.ask(b"GET", b"k") == b"$1\r\nv\r\n"
    assert connection.ask(b"SET", b"k", b"w") == MOVED
    assert connection.ask(b"READWRITE") == b"+OK\r\n"
    assert connection.ask(b"GET", b"k") == MOVED


def test_a_follower_counts_its_keys_and_flushes_nothing(gateway: Running) -> None:
    gateway.connect().ask(b"SET", b"k", b"v")
    connection = following(gateway)
    assert connection.ask(b"DBSIZE") == b":1\r\n"
    assert connection.ask(b"FLUSHALL").startswith(b"-READONLY ")
    assert b"# Keyspace\r\ndb0:keys=1" in connection.ask(b"INFO")


def test_keys_of_two_slots_are_refused_and_a_hash_tag_joins_them(gateway: Running) -> None:
    connection = gateway.connect(cluster=True)
    crossing = b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"
    assert connection.ask(b"MGET", b"a", b"b") == crossing
    assert connection.ask(b"MSET", b"{t}a", b"1", b"{t}b", b"2") == b"+OK\r\n"
    assert connection.ask(b"MGET", b"{t}a", b"{t}b") == b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"


def test_a_transaction_over_two_slots_fails_at_exec(gateway: Running) -> None:
    connection = gateway.connect(cluster=True)
    for words in ((b"MULTI",), (b"SET", b"a", b"1"), (b"SET", b"b", b"1")):
        connection.ask(*words)
    assert connection.ask(b"EXEC").startswith(b"-CROSSSLOT ")
    assert connection.ask(b"EXEC") == b"-ERR EXEC without MULTI\r\n"
    assert connection.ask(b"EXISTS", b"a") == b":0\r\n"


def test_a_redirect_while_queueing_breaks_the_transaction(gateway: Running) -> None:
    connection = following(gateway)
    assert connection.ask(b"MULTI") == b"+OK\r\n"
    assert connection.ask(b"SET", b"k", b"v") == MOVED
    assert connection.ask(b"EXEC").startswith(b"-EXECABORT ")


def test_exec_is_redirected_when_the_leader_changed_after_queueing(gateway: Running) -> None:
    connection = gateway.connect(cluster=True)
    for words in ((b"MULTI",), (b"SET", b"k", b"v")):
        connection.ask(*words)
    gateway.store.leader = OTHER
    assert connection.ask(b"EXEC") == MOVED
    assert connection.ask(b"EXEC") == b"-ERR EXEC without MULTI\r\n"


def test_each_process_has_one_role(gateway: Running) -> None:
    connection = following(gateway)
    slots = parsed(connection.ask(b"CLUSTER", b"SLOTS"))
    assert isinstance(slots, list)
    assert [node[2] for node in slots[0][2:]] == [b"%040x" % OTHER, b"%040x" % ME]
    nodes = connection.ask(b"CLUSTER", b"NODES").split(b"\n")
    assert any(b"myself,slave %040x" % OTHER in line for line in nodes)
    assert any(line.endswith(b"connected 0-16383") and b" master - " in line for line in nodes)
    assert parsed(connection.ask(b"ROLE"))[0] == b"slave"  # type: ignore[index]


def test_a_learner_is_shown_and_nobody_is_sent_there(gateway: Running) -> None:
    gateway.store.other_votes = False
    connection = gateway.connect(cluster=True)
    slots = parsed(connection.ask(b"CLUSTER", b"SLOTS"))
    assert isinstance(slots, list)
    assert [node[2] for node in slots[0][2:]] == [b"%040x" % ME]
    assert b" slave,nofailover %040x" % ME in connection.ask(b"CLUSTER", b"NODES")
    assert b"loading" in connection.ask(b"CLUSTER", b"SHARDS")
    assert b"pnyx_members:2\r\npnyx_voters:1\r\n" in connection.ask(b"INFO", b"pnyx")


def test_an_election_keeps_all_slots_with_the_last_leader(gateway: Running) -> None:
    gateway.store.quorum = False
    connection = gateway.connect(cluster=True)
    slots = parsed(connection.ask(b"CLUSTER", b"SLOTS"))
    assert isinstance(slots, list)
    assert slots[0][:2] == [0, 16383]
    assert b"cluster_state:fail" in connection.ask(b"CLUSTER", b"INFO")


def test_slots_and_their_keys_can_be_asked(gateway: Running) -> None:
    connection = gateway.connect(cluster=True)
    connection.ask(b"SET", b"k", b"v")
    slot = b"%d" % SLOT
    assert connection.ask(b"CLUSTER", b"KEYSLOT", b"k") == b":%d\r\n" % SLOT
    assert connection.ask(b"CLUSTER", b"COUNTKEYSINSLOT", slot) == b":1\r\n"
    assert connection.ask(b"CLUSTER", b"GETKEYSINSLOT", slot, b"10") == b"*1\r\n$1\r\nk\r\n"
    assert connection.ask(b"CLUSTER", b"COUNTKEYSINSLOT", b"16384") == b"-ERR Invalid slot\r\n"


@pytest.mark.parametrize("name", [b"MEET", b"ADDSLOTS", b"FORGET", b"FAILOVER", b"SETSLOT"])
def test_redis_ways_to_change_a_cluster_are_refused(gateway: Running, name: bytes) -> None:
    connection = gateway.connect(cluster=True)
    arguments = {b"MEET": (b"h", b"1"), b"FAILOVER": (), b"SETSLOT": (b"1", b"STABLE")}
    reply = connection.ask(b"CLUSTER", name, *arguments.get(name, (b"1",)))
    assert b"pnyx forms and changes its clusters itself" in reply


def test_asking_is_accepted_and_does_nothing(gateway: Running) -> None:
    connection = following(gateway)
    assert connection.ask(b"ASKING") == b"+OK\r\n"
    assert connection.ask(b"GET", b"k") == MOVED


def test_selecting_another_database_is_refused_in_each_dialects_words(gateway: Running) -> None:
    cluster, standalone = gateway.connect(cluster=True), gateway.connect()
    refused = b"-ERR SELECT is not allowed in cluster mode\r\n"
    assert cluster.ask(b"SELECT", b"1") == refused
    assert standalone.ask(b"SELECT", b"1") == b"-ERR DB index is out of range\r\n"
    assert cluster.ask(b"SELECT", b"0") == standalone.ask(b"SELECT", b"0") == b"+OK\r\n"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("COUNTKEYSINSLOT x", "value is not an integer or out of range"),
        ("COUNTKEYSINSLOT -1", "Invalid slot"),
        ("GETKEYSINSLOT x 1", "value is not an integer or out of range"),
        ("GETKEYSINSLOT 0 x", "value is not an integer or out of range"),
        ("GETKEYSINSLOT 16384 1", "Invalid slot or number of keys"),
        ("GETKEYSINSLOT 0 -1", "Invalid slot or number of keys"),
    ],
)
def test_a_slot_that_cannot_be_is_refused_in_the_words_of_redis(
    gateway: Running, words: str, reply: str
) -> None:
    connection = gateway.connect(cluster=True)
    assert connection.ask(b"CLUSTER", *words.encode().split()) == b"-ERR %b\r\n" % reply.encode()
