"""How what load generators say becomes a table."""

import pytest

from pnyx.harness.bench import engines
from pnyx.harness.bench.loads import (
    LoadFailed,
    Measured,
    Workload,
    measured_by_redis_benchmark,
    put_request,
)
from pnyx.harness.bench.subjects import Etcd, Pnyx
from pnyx.harness.bench.table import Cell, markdown

SAID = """\
SET: rps=2724.0 (overall: 2742.7) avg_msec=0.355 (overall: 0.354)\r====== SET ======
  20000 requests completed in 7.29 seconds
  1 parallel clients

Latency by percentile distribution:
0.000% <= 0.255 milliseconds (cumulative count 1)
50.000% <= 0.319 milliseconds (cumulative count 11748)
98.438% <= 0.895 milliseconds (cumulative count 19693)
99.219% <= 1.143 milliseconds (cumulative count 19845)
99.805% <= 1.607 milliseconds (cumulative count 19962)
99.902% <= 2.023 milliseconds (cumulative count 19981)
100.000% <= 10.383 milliseconds (cumulative count 20000)

Cumulative distribution of latencies:
0.000% <= 0.103 milliseconds (cumulative count 0)
99.900% <= 2.007 milliseconds (cumulative count 19980)
100.000% <= 11.103 milliseconds (cumulative count 20000)

Summary:
  throughput summary: 2742.73 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.354     0.248     0.319     0.599     1.039    10.383
"""


def cell(*rates: float) -> Cell:
    return Cell([Measured(rate, 1.0, 2.0, 3.0, 100) for rate in rates])


def test_the_99th_percentile_of_redis_benchmark_is_not_its_next_step() -> None:
    # The 99.219th was taken for it, of pnyx and redis but not of etcd: a tenth more.
    assert measured_by_redis_benchmark(SAID, 20_000) == Measured(
        2742.73, 0.319, 1.039, 2.023, 20_000
    )


def test_what_redis_benchmark_does_not_say_is_no_figure() -> None:
    with pytest.raises(LoadFailed, match="no latencies"):
        measured_by_redis_benchmark(SAID.partition("  latency summary")[0], 20_000)


def test_the_table_shows_medians_and_their_ratio() -> None:
    name = Workload("SET", 50).name
    cells = {(name, "pnyx"): cell(900, 1000, 9000), (name, "etcd"): cell(400, 500, 100)}
    row = markdown(cells, [Pnyx(), Etcd()])[-1]
    assert row.startswith("| SET c=50 | 1,000/s, 1.00 / 2.00 / 3.0 ms | 400/s")
    assert "| 2.50x |" in row


def test_a_workload_that_a_peer_cannot_do_leaves_a_dash() -> None:
    name = Workload("SET", 50, pipeline=16).name
    row = markdown({(name, "pnyx"): cell(1000)}, [Pnyx(), Etcd()])[-1]
    assert row.count(" - ") == 2


def test_cpu_is_told_apart_for_the_leader_and_a_follower() -> None:
    measured = cell(1000)
    measured.cpu_us = {"leader": [38.0, 40.0], "n2": [18.0], "n3": [20.0]}
    assert measured.cpu_words() == "39 + 19"


def test_a_put_request_is_what_etcd_reads() -> None:
    assert put_request(b"k", b"vv") == b"\x0a\x01k\x12\x02vv"


def test_engines_are_compared_round_by_round() -> None:
    cells = {}
    for workload in engines.WORKLOADS:
        # A slow moment of the machine slows one round of both, and no ratio.
        raft, paxos = cell(1000, 100, 2000), cell(900, 90, 1800)
        raft.cpu_us = {"leader": [50.0, 50.0, 50.0], "n2": [25.0, 25.0, 25.0]}
        paxos.cpu_us = {"leader": [60.0, 60.0, 60.0], "n2": [30.0, 30.0], "n1": [30.0]}
        cells[workload.name, "raft"], cells[workload.name, "multipaxos"] = raft, paxos
    first, second = engines.summary(cells)[2:4]
    assert first.startswith("| SET c=50 | 1,000/s, p99 2.0 ms | 900/s, p99 2.0 ms |")
    assert first.endswith("| 0.90x | 1.00x | 75, 90 | 1.20x |")
    assert second.startswith("| SET c=200 |")
