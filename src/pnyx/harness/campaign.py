"""Many runs at once: a map over seeds on any executor, with results that can be gone on from.

Each run is a function of (what, seed) alone, so where it runs does not matter: in processes of this
machine by default, or on the workers of a Dask scheduler. Results are JSON lines (`Record`), one a
run, appended as they come; a campaign that was broken off goes on with what is not in the file.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from pnyx.consensus.engines import EngineName
from pnyx.errors import Unlisted
from pnyx.harness.codehash import code_hash
from pnyx.lab.catalogue import all_scenarios, scenario_named
from pnyx.lab.judge import judged, played
from pnyx.lab.record import Record
from pnyx.lab.scenario import Scenario
from pnyx.lab.swarm import draw
from pnyx.lab.variants import is_swarm, on_engine, taken_apart

WINDOW_PER_WORKER: Final = 4
"""Runs handed out ahead of each worker: enough to keep it busy, few enough to stop soon."""

FAMILIES: Final = {
    "raft": ("R-", "M-"),
    "kv": ("V-", "L-", "K-"),
    "network": ("N-",),
    "engines": ("R-", "M-", "K-", "V-", "L-", "N-", "C-", "S-", "H-", "T-", "D-", "X-"),
    "backup": ("PRIMARY-", "W-", "B-"),
    "paxos": ("SINGLE-", "MULTI-", "P-", "Q-", "T-", "D-"),
}
"""Names for groups of scenarios, by how their ids begin."""


class Job(msgspec.Struct, frozen=True):
    """One run to be done."""

    what: str
    seed: int


def jobs_of(what: str, seeds: Iterable[int]) -> list[Job]:
    """Return the runs of `what`: `swarm`, or what `chosen_scenarios` says.

    Raises:
        Unlisted: there is nothing of that name.
    """
    if is_swarm(what):
        return [Job(what, seed) for seed in seeds]
    chosen = chosen_scenarios(what)
    return [Job(scenario.id, seed) for seed in seeds for scenario in chosen]


def chosen_scenarios(name: str) -> list[Scenario]:
    """Return the scenarios that `name` means: `scenarios` (all), a family, one id, or a stem.

    A stem is what several ids begin with: S-X2 means S-X2-1, S-X2-2 and so on.

    Raises:
        Unlisted: there is nothing of that name.
    """
    what, consensus = taken_apart(name)
    prefixes = ("",) if what == "scenarios" else FAMILIES.get(what.lower(), (f"{what.upper()}-",))
    ids = [
        scenario.id
        for scenario in all_scenarios()
        if scenario.id.startswith(prefixes)
        and (scenario.lesson is None or consensus is EngineName.RAFT)
    ]
    return [scenario_named(on_engine(each, consensus)) for each in ids] or [scenario_named(name)]


def carry_out(job: Job) -> Record:
    """Do one run, here. What a worker is asked for."""
    code = code_hash()
    if is_swarm(job.what):
        return judged(draw(job.seed, consensus=taken_apart(job.what)[1]), code)
    return played(scenario_named(job.what), job.seed, code)


@dataclass(slots=True)
class Results:
    """What a campaign has found so far."""

    runs: int = 0
    seeds: set[int] = field(default_factory=set)
    events: int = 0
    simulated_us: int = 0
    failures: dict[str, list[Record]] = field(default_factory=dict)
    """By fingerprint, in order of their first."""
    marks: dict[str, int] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count one run."""
        self.runs += 1
        self.seeds.add(record.seed)
        self.events += record.events
        self.simulated_us += record.simulated_us
        if not record.ok:
            self.failures.setdefault(record.fingerprint, []).append(record)
        for name, count in record.marks:
            self.marks[name] = self.marks.get(name, 0) + count

    @property
    def failed(self) -> int:
        """How many runs broke something."""
        return sum(len(records) for records in self.failures.values())


def read_results(path: Path) -> list[Record]:
    """Return the runs of this code that `path` holds; a torn last line is one that was not done.

    Raises:
        Unlisted: the file holds something else.
    """
    records: list[Record] = []
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            break
        try:
            records.append(msgspec.json.decode(line, type=Record))
        except msgspec.DecodeError as error:
            raise Unlisted(
                f"{path} holds no results of a campaign",
                cause=f"line {number}: {error}",
                next_step="name another file with --results; nothing was overwritten",
            ) from error
    return [record for record in records if record.code == code_hash()]


def campaign(
    jobs: Iterable[Job], executor: Executor, workers: int, results: Path | None = None
) -> Iterator[Record]:
    """Do `jobs` on `executor` and yield their records as they come; first those in `results`."""
    known = read_results(results) if results is not None else []
    done = {(record.what, record.seed): record for record in known}
    if results is None:
        yield from _spread(jobs, executor, workers, done)
        return
    _drop_torn_line(results)
    with results.open("ab", buffering=0) as file:
        for record in _spread(jobs, executor, workers, done):
            if (record.what, record.seed) not in done:
                file.write(msgspec.json.encode(record) + b"\n")
            yield record


@contextmanager
def executor_for(workers: int, dask: str = "") -> Iterator[tuple[Executor, int]]:
    """Yield what runs a campaign and how many runs it does at once.

    Args:
        workers: processes of this machine.
        dask: address of a Dask scheduler; its workers do it instead.

    Raises:
        SettingsWrong: the scheduler cannot be reached, or Dask is not installed.
    """
    if not dask:
        with ProcessPoolExecutor(workers) as pool:
            yield pool, workers
        return
    # The extra is loaded by whoever asks for it.
    from pnyx.harness.dask import dask_executor  # noqa: PLC0415

    with dask_executor(dask) as (pool, threads):
        yield pool, threads


def _spread(
    jobs: Iterable[Job],
    executor: Executor,
    workers: int,
    done: Mapping[tuple[str, int], Record],
) -> Iterator[Record]:
    running: set[Future[Record]] = set()
    try:
        for job in jobs:
            if (job.what, job.seed) in done:
                yield done[job.what, job.seed]
                continue
            running.add(executor.submit(carry_out, job))
            if len(running) >= WINDOW_PER_WORKER * workers:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                yield from _in_order(ended)
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            yield from _in_order(ended)
    finally:
        for future in running:
            future.cancel()


def _in_order(done: set[Future[Record]]) -> list[Record]:
    records = [future.result() for future in done]
    return sorted(records, key=lambda record: (record.what, record.seed))


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        path.write_bytes(content[:whole])
