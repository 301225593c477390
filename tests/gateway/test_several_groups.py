"""Three groups behind one gateway: whom each command is for, and what becomes of it in a move."""

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from differential.raw import RawConnection, parsed
from gateway.local import ME, OTHER
from gateway.running import Running, running
from pnyx.ids import GroupId
from pnyx.machine.commands import IncrBy, Keys
from pnyx.machine.results import Values
from pnyx.machine.shards import shard_of_slot
from pnyx.machine.slots import slot_of
from pnyx.replica.requests import Done, NotDone, Reason, Request, Unknown

SHARDS = 12
PARK_MS = 400


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    with running(groups=3, limits={"park_ms": PARK_MS}) as one:
        yield one


@pytest.fixture
def gateway(shared: Running) -> Running:
    """Three groups, four shards each, all led here, nothing in them."""
    store = shared.store
    store.answer, store.quorum, store.leader, store.frozen = None, True, ME, set()
    store.keeps_submitted, store.submitted = False, []
    for shard in range(SHARDS):
        shared.on_loop(lambda shard=shard: store.move(shard, shard // 4 + 1))  # type: ignore[misc]
    assert shared.connect().ask(b"FLUSHALL") == b"+OK\r\n"
    return shared


def key_in(shard: int, number: int = 0) -> bytes:
    """Return a key of a shard."""
    keys = (b"k%d" % at for at in count())
    return [
        next(key for key in keys if shard_of_slot(slot_of(key), SHARDS) == shard)
        for _ in range(number + 1)
    ][-1]


A, B, C = (key_in(shard) for shard in (0, 4, 8))
"""A key of each group."""


def fill(connection: RawConnection, keys: int = 100) -> set[bytes]:
    names = {b"key%d" % number for number in range(keys)}
    for name in names:
        assert connection.ask(b"SET", name, b"v") == b"+OK\r\n"
    return names


def scanned(connection: RawConnection, *options: bytes) -> list[bytes]:
    cursor, found = b"0", []
    while True:
        page = parsed(connection.ask(b"SCAN", cursor, *options))
        assert isinstance(page, list)
        cursor = page[0]
        found += page[1]
        if cursor == b"0":
            return found


# One group has it.


def test_a_key_is_kept_by_the_group_that_serves_its_shard(gateway: Running) -> None:
    connection = gateway.connect()
    for key in (A, B, C):
        assert connection.ask(b"SET", key, key) == b"+OK\r\n"
    kept = gateway.on_loop(
        lambda: [group.read((Keys(b"*"),), 0) for group in gateway.store.groups.values()]
    )
    assert kept == [[Values((key,))] for key in (A, B, C)]
    assert [connection.ask(b"GET", key) for key in (A, B, C)] == [
        b"$%d\r\n%s\r\n" % (len(key), key) for key in (A, B, C)
    ]


def test_a_pipeline_over_all_groups_is_answered_in_order(gateway: Running) -> None:
    connection = gateway.connect()
    words = [(b"INCR", key) for key in (A, B, C) * 20]
    assert connection.ask_all(words) == [b":%d\r\n" % (at // 3 + 1) for at in range(60)]


def test_a_request_carries_only_what_its_group_serves(gateway: Running) -> None:
    gateway.store.keeps_submitted = True
    gateway.connect().ask_all([(b"INCR", key) for key in (A, B, A, C)])
    runs = [[one.key for one in request.commands] for request in gateway.store.submitted]  # type: ignore[union-attr]
    assert sorted(key for run in runs for key in run) == sorted((A, A, B, C))
    assert all(len(set(run)) == 1 for run in runs)


# Several groups have a part in it.


def test_commands_on_many_keys_fan_out_on_the_gateway_port(gateway: Running) -> None:
    connection = gateway.connect()
    for key in (A, B):
        connection.ask(b"SET", key, b"v")
    assert connection.ask(b"MGET", C, B, A, B) == b"*4\r\n$-1\r\n" + b"$1\r\nv\r\n" * 3
    assert connection.ask(b"EXISTS", A, A, B, C) == b":3\r\n"
    assert connection.ask(b"TOUCH", A, B, C) == b":2\r\n"
    assert connection.ask(b"DEL", A, C) == b":1\r\n"
    assert connection.ask(b"UNLINK", A, B) == b":1\r\n"


@pytest.mark.parametrize(
    "words",
    [
        (b"MSET", A, b"1", B, b"2"),
        (b"MSETNX", A, b"1", B, b"2"),
        (b"RENAME", A, B),
        (b"COPY", A, B),
        (b"BITOP", b"AND", A, B, C),
        (b"LCS", A, B),
    ],
)
def test_what_must_be_done_together_is_refused_across_groups(
    gateway: Running, words: tuple[bytes, ...]
) -> None:
    connection = gateway.connect()
    connection.ask(b"SET", A, b"old")
    assert connection.ask(*words).startswith(b"-CROSSSLOT PX0217 ")
    assert connection.ask(b"MGET", A, B) == b"*2\r\n$3\r\nold\r\n$-1\r\n"


def test_a_thousand_refused_commands_in_a_pipeline_are_a_thousand_errors(gateway: Running) -> None:
    replies = gateway.connect().ask_all([(b"RENAME", A, B)] * 1_000)
    assert all(reply.startswith(b"-CROSSSLOT ") for reply in replies)


def test_within_a_group_several_slots_are_one_command(gateway: Running) -> None:
    connection = gateway.connect()
    other = key_in(1)
    assert connection.ask(b"MSET", A, b"1", other, b"2") == b"+OK\r\n"
    assert connection.ask(b"RENAME", A, other) == b"+OK\r\n"
    for words in ((b"MULTI",), (b"SET", A, b"3"), (b"GET", other)):
        connection.ask(*words)
    assert connection.ask(b"EXEC") == b"*2\r\n+OK\r\n$1\r\n1\r\n"


def test_a_transaction_across_groups_is_refused_and_does_nothing(gateway: Running) -> None:
    connection = gateway.connect()
    for words in ((b"MULTI",), (b"SET", A, b"1"), (b"SET", B, b"1")):
        connection.ask(*words)
    assert connection.ask(b"EXEC").startswith(b"-CROSSSLOT PX0217 ")
    assert connection.ask(b"EXEC") == b"-ERR EXEC without MULTI\r\n"
    assert connection.ask(b"DBSIZE") == b":0\r\n"


def test_watched_keys_of_several_groups_are_remembered_and_refused_at_exec(
    gateway: Running,
) -> None:
    connection = gateway.connect()
    assert connection.ask(b"WATCH", A, B) == b"+OK\r\n"
    connection.ask(b"MULTI")
    connection.ask(b"SET", A, b"1")
    assert connection.ask(b"EXEC").startswith(b"-CROSSSLOT PX0217 ")


def test_a_watched_key_of_another_client_aborts_in_any_group(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"WATCH", C)
    gateway.connect().ask(b"SET", C, b"new")
    connection.ask(b"MULTI")
    connection.ask(b"SET", C, b"mine")
    assert connection.ask(b"EXEC") == b"*-1\r\n"


def test_a_transaction_over_the_whole_store_needs_one_group(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"MULTI")
    connection.ask(b"DBSIZE")
    refused = connection.ask(b"EXEC")
    assert refused.startswith(b"-CROSSSLOT PX0217 several groups have the store")
    assert b"{tag}" not in refused


def test_commands_after_one_that_fans_out_wait_for_it(gateway: Running) -> None:
    connection = gateway.connect()
    words = [(b"SET", A, b"1"), (b"DEL", A, B, C), (b"SETNX", A, b"2"), (b"GET", A)]
    assert connection.ask_all(words) == [b"+OK\r\n", b":1\r\n", b":1\r\n", b"$1\r\n2\r\n"]


# The whole store.


def test_the_whole_store_is_all_groups_on_the_gateway_port(gateway: Running) -> None:
    connection = gateway.connect()
    names = fill(connection)
    assert connection.ask(b"DBSIZE") == b":100\r\n"
    found = parsed(connection.ask(b"KEYS", b"*"))
    assert isinstance(found, list)
    assert sorted(found) == sorted(names)
    assert sorted(scanned(connection)) == sorted(names)
    assert sorted(scanned(connection, b"COUNT", b"1000")) == sorted(names)
    assert parsed(connection.ask(b"RANDOMKEY")) in names
    assert b"db0:keys=100,expires=0" in connection.ask(b"INFO", b"keyspace")
    assert connection.ask(b"FLUSHALL") == b"+OK\r\n"
    assert connection.ask(b"DBSIZE") == b":0\r\n"
    assert connection.ask(b"RANDOMKEY") == b"$-1\r\n"
    assert connection.ask(b"SCAN", b"0") == b"*2\r\n$1\r\n0\r\n*0\r\n"


@pytest.mark.parametrize("cluster", [False, True])
def test_a_node_that_knows_no_owner_yet_does_not_call_the_store_empty(
    gateway: Running, cluster: bool
) -> None:
    fill(gateway.connect())
    gateway.store.unknown = True
    thread, replies = in_background(gateway.connect(cluster=cluster), b"DBSIZE")
    gateway.wait_for(lambda: len(gateway.gateway.lobby.parking) == 1)
    gateway.store.unknown = False
    thread.join(5)
    assert replies == [b":100\r\n"]


def test_a_random_key_is_found_in_whatever_group_has_the_only_one(gateway: Running) -> None:
    connection = gateway.connect()
    connection.ask(b"SET", B, b"v")
    assert {connection.ask(b"RANDOMKEY") for _ in range(20)} == {b"$%d\r\n%s\r\n" % (len(B), B)}


def test_on_the_cluster_port_it_is_what_this_process_leads(gateway: Running) -> None:
    names = fill(gateway.connect())
    gateway.store.leaders[GroupId(2)] = OTHER
    connection = gateway.connect(cluster=True)
    mine = {name for name in names if shard_of_slot(slot_of(name), SHARDS) // 4 != 1}
    assert connection.ask(b"DBSIZE") == b":%d\r\n" % len(mine)
    assert sorted(scanned(connection)) == sorted(mine)
    assert connection.ask(b"FLUSHALL") == b"+OK\r\n"
    assert gateway.connect().ask(b"DBSIZE") == b":%d\r\n" % (100 - len(mine))


def test_a_cursor_from_behind_all_slots_ends_a_scan(gateway: Running) -> None:
    fill(gateway.connect(), keys=3)
    empty = b"*2\r\n$1\r\n0\r\n*0\r\n"
    assert gateway.connect().ask(b"SCAN", b"%d" % (2**64 - 1)) == empty


def test_a_scan_finds_every_key_while_shards_move(gateway: Running) -> None:
    connection = gateway.connect()
    names = fill(connection, keys=300)
    cursor, found, moves = b"0", set(), iter([(0, 3), (11, 1), (5, 1), (6, 3), (2, 2), (9, 2)])
    while True:
        page = parsed(connection.ask(b"SCAN", cursor))
        assert isinstance(page, list)
        cursor = page[0]
        found.update(page[1])
        if cursor == b"0":
            break
        shard, to = next(moves, (0, 3))
        gateway.on_loop(lambda shard=shard, to=to: gateway.store.move(shard, to))  # type: ignore[misc]
    assert found == names


# Redirections.


def test_the_cluster_port_redirects_slot_by_slot(gateway: Running) -> None:
    gateway.store.leaders[GroupId(2)] = OTHER
    connection = gateway.connect(cluster=True)
    assert connection.ask(b"SET", A, b"v") == b"+OK\r\n"
    moved = b"-MOVED %d 127.0.0.1:2\r\n" % slot_of(B)
    assert connection.ask(b"SET", B, b"v") == moved
    assert connection.ask_all([(b"GET", A), (b"GET", B), (b"GET", C)]) == [
        b"$1\r\nv\r\n", moved, b"$-1\r\n"
    ]  # fmt: skip


def test_cluster_slots_names_each_run_with_its_leader(gateway: Running) -> None:
    gateway.store.leaders[GroupId(2)] = OTHER
    slots = parsed(gateway.connect(cluster=True).ask(b"CLUSTER", b"SLOTS"))
    assert isinstance(slots, list)
    assert [(run[0], run[1], run[2][2]) for run in slots] == [
        (0, 5461, b"%040x" % ME),
        (5462, 10922, b"%040x" % OTHER),
        (10923, 16383, b"%040x" % ME),
    ]
    assert all(len(run) == 3 for run in slots), "who leads is nobody's replica"


def test_a_slot_is_counted_by_the_group_that_serves_it(gateway: Running) -> None:
    for key in (A, B, C):
        gateway.connect().ask(b"SET", key, b"v")
    connection = gateway.connect(cluster=True)
    for key in (A, B, C):
        slot = b"%d" % slot_of(key)
        assert connection.ask(b"CLUSTER", b"COUNTKEYSINSLOT", slot) == b":1\r\n"
        listed = connection.ask(b"CLUSTER", b"GETKEYSINSLOT", slot, b"9")
        assert parsed(listed) == [key]


# A shard on its way.


def in_background(connection: RawConnection, *words: bytes) -> tuple[threading.Thread, list[bytes]]:
    replies: list[bytes] = []
    thread = threading.Thread(target=lambda: replies.append(connection.ask(*words)))
    thread.start()
    return thread, replies


@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ((b"INCR", A), b":8\r\n"),
        ((b"GET", A), b"$1\r\n7\r\n"),
        ((b"MGET", A, B), b"*2\r\n$1\r\n7\r\n$-1\r\n"),
        ((b"DEL", C, A, B), b":1\r\n"),
        ((b"DBSIZE",), b":1\r\n"),
        ((b"KEYS", b"*"), b"*1\r\n$%d\r\n%s\r\n" % (len(A), A)),
        ((b"SCAN", b"0"), b"*2\r\n$1\r\n0\r\n*1\r\n$%d\r\n%s\r\n" % (len(A), A)),
        ((b"PNYX.GETV", A), None),
    ],
)
def test_who_comes_while_a_shard_is_frozen_is_answered_when_it_has_arrived(
    gateway: Running, words: tuple[bytes, ...], reply: bytes | None, *, knows: bool
) -> None:
    store = gateway.store
    gateway.connect().ask(b"SET", A, b"7")
    gateway.on_loop(lambda: store.freeze(0, 3))
    if knows:
        store.frozen = {0}
    thread, replies = in_background(gateway.connect(), *words)
    gateway.wait_for(lambda: len(gateway.gateway.lobby.parking) == 1)
    gateway.on_loop(lambda: store.activate(0, 3))
    store.owners[0], store.frozen = GroupId(3), set()
    thread.join(5)
    assert replies
    assert replies[0] == reply or (reply is None and not replies[0].startswith(b"-"))


def test_only_what_was_refused_is_sent_again(gateway: Running) -> None:
    store = gateway.store
    near = key_in(1)
    gateway.on_loop(lambda: store.freeze(0, 3))
    done: list[list[bytes]] = []
    connection = gateway.connect()
    words = [(b"INCR", key) for key in (near, A, B, A, near, C)]
    thread = threading.Thread(target=lambda: done.append(connection.ask_all(words)))
    thread.start()
    gateway.wait_for(lambda: len(gateway.gateway.lobby.parking) == 1)
    gateway.on_loop(lambda: store.activate(0, 3))
    store.owners[0] = GroupId(3)
    thread.join(5)
    assert done == [[b":1\r\n", b":1\r\n", b":1\r\n", b":2\r\n", b":2\r\n", b":1\r\n"]]


def test_what_waits_on_the_cluster_port_is_redirected(gateway: Running) -> None:
    store = gateway.store
    gateway.on_loop(lambda: store.freeze(0, 3))
    thread, replies = in_background(gateway.connect(cluster=True), b"SET", A, b"v")
    gateway.wait_for(lambda: len(gateway.gateway.lobby.parking) == 1)
    gateway.on_loop(lambda: store.activate(0, 3))
    store.leaders[GroupId(3)] = OTHER
    store.owners[0] = GroupId(3)
    thread.join(5)
    assert replies == [b"-MOVED %d 127.0.0.1:2\r\n" % slot_of(A)]


def test_a_shard_that_does_not_arrive_is_given_up_in_time(gateway: Running) -> None:
    store = gateway.store
    gateway.on_loop(lambda: store.freeze(0, 3))
    began = time.monotonic()
    reply = gateway.connect().ask(b"SET", A, b"v")
    assert reply.startswith(b"-CLUSTERDOWN Hash slot not served: PX0216 ")
    assert PARK_MS / 1000 <= time.monotonic() - began < PARK_MS / 1000 + 1
    gateway.on_loop(lambda: store.activate(0, 3))
    store.owners[0] = GroupId(3)
    assert gateway.connect().ask(b"GET", A) == b"$-1\r\n"


def test_a_flush_reaches_a_shard_that_moves_meanwhile(gateway: Running) -> None:
    store = gateway.store
    fill(gateway.connect(), keys=60)
    gateway.on_loop(lambda: store.freeze(0, 3))
    thread, replies = in_background(gateway.connect(), b"FLUSHALL")
    gateway.wait_for(lambda: len(gateway.gateway.lobby.parking) == 1)
    gateway.on_loop(lambda: store.activate(0, 3))
    store.owners[0] = GroupId(3)
    thread.join(5)
    assert replies == [b"+OK\r\n"]
    assert gateway.connect().ask(b"DBSIZE") == b":0\r\n"


def test_more_than_may_wait_is_refused(gateway: Running) -> None:
    gateway.store.frozen = {0}
    parking = gateway.gateway.lobby.parking
    most, parking.bytes_max = parking.bytes_max, 100
    reply = gateway.connect().ask(b"SET", A, b"v" * 200)
    parking.bytes_max = most
    assert reply.startswith(b"-TRYAGAIN PX0202 ")


def test_a_client_that_leaves_while_it_waits_leaves_nothing_behind(gateway: Running) -> None:
    gateway.store.frozen = {0}
    parking = gateway.gateway.lobby.parking
    connection = gateway.connect()
    connection.send(b"SET", A, b"v")
    gateway.wait_for(lambda: len(parking) == 1)
    connection.close()
    gateway.wait_for(lambda: len(parking) == 0 and parking.bytes_held == 0)
    gateway.store.frozen = set()
    assert gateway.connect().ask(b"EXISTS", A) == b":0\r\n"


# When parts fail.


def failing(group: int, why: NotDone | Unknown, gateway: Running) -> None:
    """Let whatever holds keys of that group fail."""

    def answer(request: Request) -> NotDone | Unknown | Done | None:
        keys = [key for one in request.commands for key in getattr(one, "keys", ())]
        here = any(shard_of_slot(slot_of(key), SHARDS) // 4 + 1 == group for key in keys)
        return why if here else None

    gateway.store.answer = answer


def test_a_delete_that_is_half_done_never_says_that_nothing_was(gateway: Running) -> None:
    failing(2, NotDone(Reason.NO_QUORUM), gateway)
    assert gateway.connect().ask(b"DEL", A, B).startswith(b"-UNKNOWN PX0203 ")
    assert gateway.connect().ask(b"DEL", B).startswith(b"-CLUSTERDOWN The cluster is down: PX0107 ")
    assert (
        gateway.connect()
        .ask(b"MGET", A, B)
        .startswith(b"-CLUSTERDOWN The cluster is down: PX0107 ")
    )
    failing(2, Unknown(), gateway)
    assert gateway.connect().ask(b"DEL", A, B).startswith(b"-UNKNOWN PX0203 ")


def test_one_group_without_a_leader_leaves_the_others_answers_alone(gateway: Running) -> None:
    def answer(request: Request) -> NotDone | None:
        keys = [one.key for one in request.commands if isinstance(one, IncrBy)]
        return NotDone(Reason.NO_QUORUM) if B in keys else None

    gateway.store.answer = answer
    replies = gateway.connect().ask_all([(b"INCR", key) for key in (A, B, C)])
    assert replies[0] == replies[2] == b":1\r\n"
    assert replies[1].startswith(b"-CLUSTERDOWN The cluster is down: PX0107 ")


# Sessions.


def test_a_retry_gets_its_answer_from_the_group_that_has_the_shard_now(gateway: Running) -> None:
    connection = gateway.connect()
    begun = parsed(connection.ask(b"PNYX.SESSION"))
    assert isinstance(begun, list)
    session = begun[0]
    deadline = b"%d" % (int(begun[1]) + 60_000)
    prefix = (b"PNYX.SEQ", session, b"1", b"0", deadline)
    connection.send(*prefix)
    assert connection.ask(b"INCR", A) == b":1\r\n"
    gateway.on_loop(lambda: gateway.store.move(0, 3))
    connection.send(*prefix)
    assert connection.ask(b"INCR", A) == b":1\r\n"
    assert connection.ask(b"GET", A) == b"$1\r\n1\r\n"
    clock = parsed(connection.ask(b"PNYX.CLOCK", A))
    assert isinstance(clock, int)
    assert clock >= int(begun[1])


def test_a_session_write_over_two_slots_is_refused(gateway: Running) -> None:
    connection = gateway.connect()
    begun = parsed(connection.ask(b"PNYX.SESSION"))
    assert isinstance(begun, list)
    connection.send(b"PNYX.SEQ", begun[0], b"1", b"0", b"%d" % (int(begun[1]) + 60_000))
    assert connection.ask(b"DEL", A, B).startswith(b"-CROSSSLOT ")
