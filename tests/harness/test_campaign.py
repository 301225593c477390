"""Are the seeds of a campaign all run, once, wherever that happens?"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from distributed import LocalCluster

from pnyx.errors import SettingsWrong, Unlisted
from pnyx.harness.campaign import (
    Results,
    campaign,
    executor_for,
    jobs_of,
    read_results,
)
from pnyx.harness.codehash import code_hash
from pnyx.harness.dask import CONNECT_S
from pnyx.lab.record import Record

JOBS = jobs_of("R-B1", range(1, 6))


def test_results_are_kept_and_gone_on_from(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    with ThreadPoolExecutor(1) as pool:
        first = list(campaign(JOBS[:3], pool, 1, results))
        with results.open("ab") as file:
            file.write(b'{"what": "R-B1", "se')
        whole = list(campaign(JOBS, pool, 1, results))
    assert [record.seed for record in whole] == [1, 2, 3, 4, 5]
    assert whole[:3] == first
    assert read_results(results) == whole
    assert len(results.read_bytes().splitlines()) == len(JOBS)


def test_what_several_ids_begin_with_means_all_of_them() -> None:
    cells = {job.what for job in jobs_of("s-x2@multipaxos", [1])}
    assert {"S-X2-1@multipaxos", "S-X2-48@multipaxos"} <= cells
    assert all(cell.startswith("S-X2-") for cell in cells)
    assert [job.what for job in jobs_of("S-X1", [1])] == ["S-X1"]
    with pytest.raises(Unlisted):
        jobs_of("S-X", [1])


def test_results_of_other_code_are_run_again(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    old = Record("R-B1", 1, "ffffffff", 1, "0", 1, invariant="all_is_lost")
    results.write_bytes(msgspec.json.encode(old) + b"\n")
    with ThreadPoolExecutor(1) as pool:
        (record,) = campaign(JOBS[:1], pool, 1, results)
    assert (record.code, record.ok) == (code_hash(), True)


def test_a_file_that_holds_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    results = tmp_path / "notes.txt"
    results.write_text("dear diary\n")
    with ThreadPoolExecutor(1) as pool, pytest.raises(Unlisted) as refused:
        list(campaign(JOBS, pool, 1, results))
    assert "line 1" in refused.value.cause
    assert results.read_text() == "dear diary\n"


def test_failures_of_one_kind_are_one_group() -> None:
    found = Results()
    for seed in (1, 2):
        sentence = f"term {seed} has two leaders, 4{seed} and 7"
        found.add(Record("swarm", seed, "c", 10, "h", 5, 0, "election_safety", sentence))
    found.add(Record("swarm", 3, "c", 10, "h", 5))
    assert (found.runs, found.failed, len(found.failures)) == (3, 2, 1)


def test_processes_run_a_campaign() -> None:
    with executor_for(2) as (pool, at_once):
        records = list(campaign(JOBS, pool, at_once))
    assert sorted(record.seed for record in records) == [1, 2, 3, 4, 5]
    assert all(record.ok for record in records)


def test_a_dask_cluster_runs_a_campaign_with_the_same_hashes() -> None:
    with ThreadPoolExecutor(1) as pool:
        here = {record.seed: record.hash for record in campaign(JOBS, pool, 1)}
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        executor_for(0, cluster.scheduler_address) as (pool, at_once),
    ):
        there = {record.seed: record.hash for record in campaign(JOBS, pool, at_once)}
    assert there == here


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "tcp://127.0.0.1", "x:"])
def test_a_scheduler_that_is_not_there_is_said_at_once(address: str) -> None:
    began_s = time.monotonic()
    with (
        pytest.raises(SettingsWrong, match="cannot be reached"),
        executor_for(0, address),
    ):
        pass
    assert time.monotonic() - began_s < CONNECT_S
