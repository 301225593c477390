"""Programs people use, against a gateway: redis-py, redis-cli, redis-benchmark."""

import asyncio
import shutil
import subprocess

import pytest
import redis
import redis.asyncio
from redis.cluster import RedisCluster

from gateway.running import Running

pytestmark = pytest.mark.real


def needs(program: str) -> pytest.MarkDecorator:
    missing = shutil.which(program) is None
    return pytest.mark.skipif(missing, reason=f"{program} is not installed (Debian: redis-tools)")


def spoken(*arguments: str, said: str = "") -> str:
    done = subprocess.run(
        arguments, input=said, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_reads_and_writes(gateway: Running, protocol: int) -> None:
    port = gateway.store.settings.me.gateway_port
    with redis.Redis(port=port, protocol=protocol, decode_responses=True) as client:
        assert client.set("k", "v", ex=100)
        assert client.get("k") == "v"
        assert client.ttl("k") in {99, 100}
        assert client.info("server")["redis_mode"] == "standalone"
        assert client.config_get("maxmemory")["maxmemory"] == "0"
        assert set(client.scan_iter("*")) == {"k"}
        assert client.command_count() == len(client.command())
        assert client.client_list()[0]["db"] == "0"
        assert client.execute_command("DELEX", "k", "IFEQ", "other") == 0


def test_redis_py_sees_that_a_watched_key_changed(gateway: Running) -> None:
    port = gateway.store.settings.me.gateway_port
    with redis.Redis(port=port) as client, redis.Redis(port=port) as rival:
        with client.pipeline() as pipeline:
            pipeline.watch("k")
            rival.set("k", "theirs")
            pipeline.multi()
            pipeline.set("k", "mine")
            with pytest.raises(redis.WatchError):
                pipeline.execute()
        assert client.get("k") == b"theirs"


def test_redis_py_asyncio_runs_a_long_pipeline(gateway: Running) -> None:
    port = gateway.store.settings.me.gateway_port

    async def run() -> list[int]:
        async with redis.asyncio.Redis(port=port) as client:
            pipeline = client.pipeline(transaction=True)
            for _ in range(3000):
                pipeline.incr("n")
            return await pipeline.execute()

    assert asyncio.run(run()) == list(range(1, 3001))


def test_redis_py_cluster_finds_the_leader(gateway: Running) -> None:
    port = gateway.store.settings.me.cluster_port
    with RedisCluster(host="127.0.0.1", port=port) as client:
        assert client.set("k", "v")
        assert client.get("k") == b"v"
        assert client.mset_nonatomic({"a": "1", "b": "2"})
        assert client.mget_nonatomic("a", "b") == [b"1", b"2"]
        assert client.dbsize() == 3
        assert sorted(client.scan_iter()) == [b"a", b"b", b"k"]


@needs("redis-cli")
def test_redis_cli_speaks_on_both_ports(gateway: Running) -> None:
    address = gateway.store.settings.me
    said = "SET k 1\nINCR k\nMULTI\nGET k\nEXEC\nCLIENT ID\nOBJECT ENCODING k\n"
    for port, *options in ((address.gateway_port, "-3"), (address.cluster_port, "-c")):
        lines = spoken("redis-cli", "-p", str(port), *options, said=said).split("\n")
        assert lines[:2] == ["OK", "2"]
        assert "QUEUED" in lines
        assert lines[-2] == "int"


@needs("redis-benchmark")
@pytest.mark.parametrize("depth", ["1", "16"])
def test_redis_benchmark_runs_through(gateway: Running, depth: str) -> None:
    port = str(gateway.store.settings.me.gateway_port)
    options = ["-t", "set,get,ping_inline,mset", "-c", "20", "-n", "2000", "-P", depth, "--csv"]
    lines = spoken("redis-benchmark", "-p", port, *options).strip().split("\n")
    assert [line.split(",")[0] for line in lines[1:]] == [
        '"PING_INLINE"', '"SET"', '"GET"', '"MSET (10 keys)"',
    ]  # fmt: skip
