"""`pnyx.connect` on three real processes, by cluster ports and by gateway ports."""

import asyncio
import doctest
import os
import threading
import time
from collections.abc import Iterator

import pytest

import pnyx
import pnyx.aio
from pnyx.client import blocking
from pnyx.client.admin import Admin
from pnyx.client.async_collected import Transaction as AsyncTransaction
from pnyx.client.collected import Transaction
from pnyx.harness.cluster import Cluster

pytestmark = pytest.mark.real
MIB = 1 << 20


def url(cluster: Cluster, kind: str) -> str:
    ports = [
        node.ports.cluster if kind == "cluster" else node.ports.gateway
        for node in cluster.nodes.values()
    ]
    return "pnyx://" + ",".join(f"127.0.0.1:{port}" for port in ports)


@pytest.fixture(params=["cluster", "gateway"])
def client(shared: Cluster, request: pytest.FixtureRequest) -> Iterator[pnyx.Pnyx[bytes]]:
    with pnyx.connect(url(shared, request.param)) as found:
        found.delete(*found.scan_iter())
        yield found


def test_every_method_does_what_redis_py_says_it_does(client: pnyx.Pnyx[bytes]) -> None:
    assert client.set("a", 1, ex=100) is True
    assert client.set("a", 2, nx=True) is None
    assert client.put("a", 5, keepttl=True, get=True) == b"1"
    assert 0 < client.ttl("a") <= 100
    assert client.pttl("a") > 90_000
    assert client.persist("a") is True
    assert client.expire("a", 50) is True
    assert client.pexpire("a", 5, gt=True) is False
    assert client.incr("a") == 6
    assert client.incrbyfloat("a", 0.5) == 6.5
    assert client.append("a", "!") == 4
    assert client.getex("a", persist=True) == b"6.5!"
    assert client.delex("a", ifeq="x") is False
    assert client.mget("a", "none", "b") == client.mget(["a", "none", "b"]) == [b"6.5!", None, None]
    assert client.exists("a", "a", "b") == 2
    assert client.getdel("a") == b"6.5!"
    assert client.delete("a", "b") == 0


def test_a_scan_finds_every_key_and_pipelines_answer_in_order(client: pnyx.Pnyx[bytes]) -> None:
    pipeline = client.pipeline()
    for number in range(2_500):
        pipeline.set(f"scan:{number}", number).get(f"scan:{number}")
    results = pipeline.execute()
    assert results[1::2] == [b"%d" % number for number in range(2_500)]
    assert set(client.scan_iter("scan:*", count=100)) == {b"scan:%d" % n for n in range(2_500)}


def test_the_errors_of_one_command_leave_the_others_alone(client: pnyx.Pnyx[bytes]) -> None:
    pipeline = client.pipeline().set("text", "x").incr("text").get("text")
    done, wrong, value = pipeline.execute(raise_on_error=False)
    assert (done, value) == (True, b"x")
    assert isinstance(wrong, pnyx.Refused)
    with pytest.raises(pnyx.Refused, match="not an integer"):
        client.incr("text")
    with pytest.raises(pnyx.Refused, match="unknown command"):
        client.execute_command("NONESUCH")
    assert client.execute_command("STRLEN", "text") == 1


def test_the_examples_of_the_docstrings_are_true(shared: Cluster) -> None:
    port = shared.nodes["n1"].ports.cluster
    with pnyx.connect(f"pnyx://127.0.0.1:{port}") as client:
        client.delete(*client.scan_iter())
        finder = doctest.DocTestFinder(recurse=True)
        found = [
            test
            for thing in (blocking.connect, blocking.Pnyx, Admin)
            for test in finder.find(thing, globs={"client": client, "pnyx": pnyx})
        ]
        assert sum(len(test.examples) for test in found) >= 15
        for test in found:
            for example in test.examples:
                example.source = example.source.replace(":7001", f":{port}")
            assert doctest.DocTestRunner().run(test).failed == 0


def test_compare_and_set_knows_what_was_seen(client: pnyx.Pnyx[bytes]) -> None:
    assert client.get_versioned("doc") == (None, 0)
    first = client.cas("doc", 0, "draft")
    assert first is not None
    assert client.cas("doc", 0, "other") is None
    second = client.cas("doc", first, "final", ex=100)
    assert second is not None
    assert second > first
    assert client.get_versioned("doc") == (b"final", second)
    assert 0 < client.ttl("doc") <= 100


def test_a_transaction_whose_watched_key_changed_is_tried_again(client: pnyx.Pnyx[bytes]) -> None:
    tries = []

    def add_one(transaction: Transaction) -> None:
        seen = int(transaction.get("{t}n") or 0)
        tries.append(seen)
        if len(tries) == 1:
            client.set("{t}n", 10)
        transaction.multi()
        transaction.set("{t}n", seen + 1).get("{t}n")

    assert client.transaction(add_one, "{t}n") == [True, b"11"]
    assert tries == [0, 10]
    with pytest.raises(pnyx.CrossSlot):
        client.transaction(lambda queue: queue.set("a", 1).set("b", 1))


def test_a_transaction_that_only_reads_fails_if_a_watched_key_changed(
    client: pnyx.Pnyx[bytes], shared: Cluster
) -> None:
    reads = []

    def read_both(transaction: Transaction) -> None:
        reads.append((transaction.get("{t}a"), transaction.get("{t}b")))
        if len(reads) == 1:
            client.set("{t}a", "new")

    assert client.transaction(read_both, "{t}a", "{t}b") == []
    assert reads == [(None, None), (b"new", None)]

    async def on_asyncio() -> None:
        async with await pnyx.aio.connect(url(shared, "gateway")) as other:
            transaction = AsyncTransaction(other._runner)
            await transaction.watch("{t}a")
            await other.set("{t}a", "newer")
            with pytest.raises(pnyx.WatchError):
                await transaction.execute()

    asyncio.run(on_asyncio())


def test_a_lock_has_one_holder_and_each_holder_a_higher_token(client: pnyx.Pnyx[bytes]) -> None:
    first, second = client.lock("job", ttl_ms=60_000), client.lock("job", ttl_ms=60_000)
    assert first.acquire(wait_s=0)
    assert not second.acquire(wait_s=0.1)
    before = first.token
    first.renew()
    assert first.token == before
    first.release()
    assert second.acquire()
    assert (second.token or 0) > (before or 0)
    client.delete("job")
    assert first.acquire()
    with pytest.raises(pnyx.LockLost):
        second.release()
    client.delete("job")
    with pytest.raises(pnyx.LockLost):
        first.renew()


def test_a_lock_that_is_held_cannot_be_taken_again_and_stays_held(
    client: pnyx.Pnyx[bytes],
) -> None:
    lock = client.lock("job", ttl_ms=60_000)
    assert lock.acquire(wait_s=0)
    with pytest.raises(RuntimeError, match="held by this object already; release it first"):
        lock.acquire(wait_s=0)
    lock.release()
    assert client.get("job") is None
    with pytest.raises(RuntimeError, match="released already; acquire it first"):
        lock.release()
    with pytest.raises(RuntimeError, match="not held by this object"):
        client.lock("job").release()


def test_an_asyncio_lock_that_is_held_cannot_be_taken_again(shared: Cluster) -> None:
    async def roundtrip() -> bytes | None:
        async with await pnyx.aio.connect(url(shared, "cluster")) as client:
            async with client.lock("aiojob") as lock:
                with pytest.raises(RuntimeError, match="held by this object already"):
                    await lock.acquire(wait_s=0)
            with pytest.raises(RuntimeError, match="not held by this object"):
                await lock.release()
            return await client.get("aiojob")

    assert asyncio.run(roundtrip()) is None


def test_a_lock_that_its_block_released_or_lost_says_so_at_the_end(
    client: pnyx.Pnyx[bytes],
) -> None:
    with pytest.raises(RuntimeError, match="released already"), client.lock("job") as lock:
        lock.release()
    with pytest.raises(pnyx.LockLost, match="not held any more") as lost, client.lock("job"):
        client.delete("job")
    assert "or its key was deleted" in lost.value.cause


def test_stale_reads_follow_what_was_written(client: pnyx.Pnyx[bytes]) -> None:
    for number in range(20):
        client.set("k", number)
        seen = client.get("k", read="stale")
        assert seen is None or int(seen) <= number
    # Another node may answer, and be behind for as long as a commit notice takes to reach it.
    ends_s = time.monotonic() + 10
    while client.get("k", read="stale") != b"19":
        assert time.monotonic() < ends_s
    assert client.get_versioned("k", read="stale").revision > 0
    with pytest.raises(ValueError, match="linearizable"):
        client.get("k", read="old")  # type: ignore[arg-type]


def test_the_asyncio_client_has_the_same_methods(shared: Cluster) -> None:
    async def roundtrip() -> list[object]:
        async with await pnyx.aio.connect(url(shared, "gateway"), decode_responses=True) as client:
            await client.set("{a}x", 1)
            done = await client.pipeline().incr("{a}x").get("{a}x").execute()
            await asyncio.gather(*(client.incr("{a}many") for _ in range(300)))
            async with client.lock("{a}lock") as lock:
                assert lock.token
            keys = sorted([key async for key in client.scan_iter("{a}*")])
            await client.session().delete("{a}x")
            return [done, await client.mget("{a}x", "{a}many"), keys]

    assert asyncio.run(roundtrip()) == [[2, "2"], [None, "300"], ["{a}many", "{a}x"]]
    public = {name for name in vars(blocking.Pnyx) if not name.startswith("_")}
    # fsspec's filesystem waits for its answers; asyncio programs run it in a thread.
    assert public - {"close", "fs"} == {
        name for name in vars(pnyx.aio.AsyncPnyx) if not name.startswith("_")
    } - {"aclose"}


def test_a_session_that_is_closed_leaves_its_client_and_other_sessions_alone(
    client: pnyx.Pnyx[bytes],
) -> None:
    with client.session() as session:
        other = session.session()
        session.set("a", 1)
    assert client.get("a") == other.get("a") == b"1"
    with pytest.raises(RuntimeError, match="closed"):
        session.get("a")
    with pytest.raises(RuntimeError, match="closed"):
        session.session()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        other.get("a")


def test_an_asyncio_session_that_is_closed_leaves_its_client_alone(shared: Cluster) -> None:
    async def roundtrip() -> bytes | None:
        async with await pnyx.aio.connect(url(shared, "cluster")) as client:
            async with client.session() as session:
                await session.set("a", 2)
            with pytest.raises(RuntimeError, match="closed"):
                await session.get("a")
            return await client.get("a")

    assert asyncio.run(roundtrip()) == b"2"


def test_a_closed_client_has_no_files(shared: Cluster) -> None:
    used = pnyx.connect(url(shared, "cluster"))
    fresh, orphan = pnyx.connect(url(shared, "cluster")), used.session()
    assert used.fs.exists("/")
    used.close()
    fresh.close()
    for client in (used, fresh, orphan):
        with pytest.raises(RuntimeError, match="closed"):
            _ = client.fs


@pytest.mark.parametrize("mib_over", [0, 28])
@pytest.mark.parametrize("once", [True, False])
def test_a_value_over_the_limit_is_refused_by_name_and_the_client_goes_on(
    shared: Cluster, once: bool, mib_over: int
) -> None:
    value = bytes(4 * MIB + mib_over * MIB + 1)

    def queue(transaction: Transaction) -> None:
        transaction.incr("{big}small").set("big", value)

    async def queue_on_asyncio(transaction: AsyncTransaction) -> None:
        transaction.incr("{big}small").set("big", value)

    async def on_asyncio() -> None:
        async with await pnyx.aio.connect(url(shared, "cluster"), exactly_once=once) as client:
            with pytest.raises(pnyx.Refused, match="invalid bulk length"):
                await client.set("big", value)
            with pytest.raises(pnyx.Refused, match="invalid bulk length"):
                await client.transaction(queue_on_asyncio)
            assert await client.incr("small") == 2
            assert await client.get("big") is None

    with pnyx.connect(url(shared, "cluster"), exactly_once=once) as client:
        client.delete("small")
        with pytest.raises(pnyx.Refused, match="invalid bulk length") as refused:
            client.set("big", value)
        assert "limits.value_bytes_max" in refused.value.next_step
        with pytest.raises(pnyx.Refused, match="invalid bulk length"):
            client.transaction(queue)
        assert client.exists("big", "{big}small") == 0
        assert client.incr("small") == 1
    asyncio.run(on_asyncio())


def test_threads_share_a_client(client: pnyx.Pnyx[bytes]) -> None:
    def count() -> None:
        for _ in range(50):
            client.incr("together")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("together") == b"400"


def test_whether_text_comes_back_as_str_may_be_known_late(shared: Cluster) -> None:
    for is_text in (True, False):
        with pnyx.connect(url(shared, "cluster"), decode_responses=is_text) as client:
            client.set("greeting", "x")
            assert client.get("greeting") == ("x" if is_text else b"x")


def test_text_comes_back_as_str_on_request(shared: Cluster) -> None:
    with pnyx.connect(url(shared, "cluster"), decode_responses=True) as client:
        client.set("greeting", "καλημέρα")
        assert client.get("greeting") == "καλημέρα"
        client.set("raw", b"\xff")
        assert client.set("raw", client.get("raw") or "") is True
        assert client.execute_command("STRLEN", "raw") == 1
        assert "greeting" in set(client.scan_iter())


def test_a_forked_child_has_connections_of_its_own(client: pnyx.Pnyx[bytes]) -> None:
    client.set("forked", 0)
    child = os.fork()
    if child == 0:
        os._exit(0 if all(client.incr("forked") for _ in range(100)) else 1)
    for _ in range(100):
        client.incr("forked")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.get("forked") == b"200"


def test_nobody_at_the_address_is_said_in_time() -> None:
    with pytest.raises(pnyx.Unavailable, match="no node answered"):
        pnyx.connect("pnyx://127.0.0.1:1", timeout_s=0.5)


def test_reads_and_writes_go_on_when_the_leader_is_killed() -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        with pnyx.connect(url(cluster, "cluster"), timeout_s=20) as client:
            client.set("kept", "value")
            cluster.kill(cluster.wait_for_leader())
            assert client.get("kept") == b"value"
            assert client.set("after", "kill") is True


def test_a_stale_read_is_answered_by_a_node_that_is_cut_off_and_others_are_not() -> None:
    with Cluster() as cluster:
        cluster.start()
        cluster.wait_healthy()
        alone = next(label for label in cluster.nodes if label != cluster.wait_for_leader())
        port = cluster.nodes[alone].ports.gateway
        with (
            pnyx.connect(url(cluster, "cluster")) as others,
            pnyx.connect(f"pnyx://127.0.0.1:{port}", timeout_s=2) as client,
        ):
            others.set("k", "old")
            assert client.get("k") == b"old"
            cluster.partition(alone)
            others.set("k", "new")
            assert client.get("k", read="stale") == b"old"
            assert client.mget(["k", "none"], read="stale") == [b"old", None]
            assert client.exists("k", read="stale") == 1
            assert client.pipeline().get("k", read="stale").ttl("k", read="stale").execute() == [
                b"old",
                -1,
            ]
            with pytest.raises(pnyx.NoQuorum):
                client.get("k")
            cluster.heal()
            assert client.get("k") == b"new"
            assert client.get("k", read="stale") == b"new"


def test_a_cluster_without_a_password_refuses_one_but_an_empty_one(shared: Cluster) -> None:
    async def on_asyncio(password: str) -> bool:
        async with await pnyx.aio.connect(url(shared, "cluster"), password=password) as client:
            return bool(await client.set("a", 1))

    with pytest.raises(pnyx.AuthError) as refused:
        pnyx.connect(url(shared, "cluster"), password="sesame")
    assert "leave the password out" in refused.value.next_step
    with pytest.raises(pnyx.AuthError):
        asyncio.run(on_asyncio("sesame"))
    with pnyx.connect(url(shared, "gateway"), password="") as client:
        assert client.set("a", 1) is True
        assert client.fs.exists("/")
    assert asyncio.run(on_asyncio(""))


def test_a_cluster_with_a_password_wants_it() -> None:
    with Cluster(count=1, settings={"requirepass": "open sesame"}) as cluster:
        cluster.start()
        cluster.wait_healthy()
        bare = url(cluster, "cluster")
        for wrong in (None, "sesame"):
            with pytest.raises(pnyx.AuthError):
                pnyx.connect(bare, password=wrong)
        with pnyx.connect(bare.replace("//", "//:open%20sesame@")) as client:
            assert client.set("a", 1) is True
