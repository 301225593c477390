"""lab campaign: many seeds in parallel, told as they come, grouped by what broke."""

import os
import re
import secrets
import sys
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Final

from pnyx.cli.options import Count
from pnyx.cli.output import Form, show
from pnyx.cli.progress import Progress
from pnyx.cli.statuses import OK, VIOLATED
from pnyx.cli.writing import refuse_unwritable
from pnyx.consensus.engines import EngineName
from pnyx.errors import SettingsWrong
from pnyx.harness.campaign import Job, Results, campaign as run_campaign, executor_for, jobs_of
from pnyx.lab.invariants.catalogue import MARKS
from pnyx.lab.variants import is_swarm, on_engine

_SEEDS: Final = re.compile(r"(\d+)\.\.(\d+)|(\d+)|fresh:(\d+)")
SEED_COUNT_MAX: Final = 10_000_000
SHOWN_MAX: Final = 3
"""Failures shown of one kind."""


def campaign(
    what: str = "swarm",
    *,
    consensus: EngineName = EngineName.RAFT,
    seeds: str = "1..2000",
    workers: Count = 0,
    seconds: Count = 0,
    dask: str = "",
    results: Path | None = None,
    output: Form = "table",
) -> int:
    """Run many seeds, in parallel, resumably; exit status 6 if anything broke.

    Args:
        what: swarm, scenarios (all), raft, kv, network, engines (all that run on both), paxos,
            backup, a scenario's id, or what several ids begin with, as S-X2.
        consensus: the engine that groups run, raft or multipaxos.
        seeds: 1000..1999, or 7, or fresh:100 for a hundred that nobody has seen; or several of
            these, as 1..3,fresh:1.
        workers: processes; 0 is one a core.
        seconds: hand out no more runs after so many seconds; 0 is without limit.
        dask: address of a Dask scheduler (tcp://HOST:PORT) whose workers do it instead.
        results: a file of JSON lines, one a run; a campaign broken off goes on from it.
        output: table, json, jsonl (every run as it comes) or plain.
    """
    refuse_unwritable(results)
    what = on_engine(what, consensus)
    every = jobs_of(what, seeds_of(seeds))
    jobs: Iterable[Job] = every
    found = Results()
    progress = Progress(len(every), "runs")
    if seconds:
        jobs = takewhile(lambda _: progress.seconds < seconds, every)
    with executor_for(workers or os.cpu_count() or 1, dask) as (pool, at_once):
        for record in run_campaign(jobs, pool, at_once, results):
            found.add(record)
            progress.step(f"{found.failed} failed")
            if output == "jsonl":
                show([{**_row(record), "hash": record.hash}], (), "jsonl")
    progress.end()
    _report(found, progress.seconds, what, output)
    return VIOLATED if found.failures else OK


def seeds_of(text: str) -> list[int]:
    """Return the seeds that `text` names, in its order.

    Raises:
        SettingsWrong: it names none, or too many.
    """
    spans = [_span(text, part.strip()) for part in text.split(",")]
    if not 0 < sum(map(len, spans)) <= SEED_COUNT_MAX or any(each.stop > 2**64 for each in spans):
        raise _wrong(text, f"a campaign has 1 to {SEED_COUNT_MAX} seeds, each below 2**64")
    return list(dict.fromkeys(seed for span in spans for seed in span))


def _span(text: str, part: str) -> range:
    match = _SEEDS.fullmatch(part)
    if match is None:
        raise _wrong(text, f"{part or 'nothing'} is none of 1000..1999, 7 and fresh:100")
    first, last, single, fresh = match.groups()
    if fresh is not None:
        start = secrets.randbits(40)
        seeds = range(start, start + int(fresh))
        print(f"fresh seeds {seeds.start}..{seeds.stop - 1}", file=sys.stderr)
        return seeds
    if single is not None:
        return range(int(single), int(single) + 1)
    return range(int(first), int(last) + 1)


def text_of(seeds: Iterable[int]) -> str:
    """Return what `seeds_of` makes these seeds of again."""
    spans: list[list[int]] = []
    for seed in sorted(seeds):
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ",".join(f"{a}..{b}" if a != b else f"{a}" for a, b in spans)


def _report(found: Results, seconds: float, what: str, output: Form) -> None:
    rows = [
        {"runs": len(records), "what": fingerprint, **_row(records[0])}
        for fingerprint, records in sorted(found.failures.items(), key=lambda each: -len(each[1]))
    ]
    if output == "json":
        show(rows, (), "json")
    for fingerprint, records in found.failures.items():
        if output != "table":
            break
        print(f"{len(records)} x {fingerprint}")
        for record in records[:SHOWN_MAX]:
            print(f"    pnyx lab replay {record.replay}")
    sys.stdout.flush()
    print(
        f"{found.runs} runs of seeds {text_of(found.seeds)}, {found.failed} failed, "
        f"{found.events} events, "
        f"{found.simulated_us / 3.6e9:.2f} simulated hours in {seconds:.0f} s "
        f"({found.runs / seconds:.1f} runs/s, {found.events / seconds:,.0f} events/s)",
        file=sys.stderr,
    )
    never = [mark.name for mark in MARKS if mark.name not in found.marks]
    if is_swarm(what) and never:
        print(f"never reached: {', '.join(never)}", file=sys.stderr)


def _row(record: object) -> dict[str, object]:
    fields = ("what", "seed", "ok", "invariant", "sentence", "replay", "events")
    return {field: getattr(record, field) for field in fields}


def _wrong(text: str, cause: str) -> SettingsWrong:
    return SettingsWrong(
        f"--seeds {text} cannot be used; nothing was run",
        cause=cause,
        next_step="write a range as 1..2000",
    )
