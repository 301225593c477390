"""bench: pnyx beside redis-server and etcd, in turns, in one run."""

import datetime
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from cyclopts import Parameter
from cyclopts.validators import Number

from pnyx import __version__
from pnyx.cli.options import Flag
from pnyx.cli.writing import refuse_unwritable, written
from pnyx.errors import PnyxError
from pnyx.harness.bench import engines, faults, groups, library, moves, sessions, table, usage
from pnyx.harness.bench.subjects import Etcd, Pnyx, Redis, Subject, missing

Part = Literal[
    "table", "failover", "restart", "idle", "start", "client", "files", "moves", "engines", "groups"
]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
APART: Final = frozenset({"table", "client", "files", "moves", "engines", "groups"})
"""Parts with a table of their own."""
SHARD_BYTES: Final = (1_000_000, 100_000_000, 500_000_000)
FILE_BYTES: Final = 100 * 1024 * 1024


def bench(
    *,
    quick: Flag = False,
    only: Annotated[tuple[Part, ...], Parameter(negative=())] = (),
    rounds: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    seconds: Annotated[float | None, Parameter(validator=Number(gt=0, lte=3_600))] = None,
    markdown: Path | None = None,
) -> int:
    """Measure this checkout beside redis-server and etcd, in turns, in about ten minutes.

    It takes all cores. Only ratios taken in one run count.

    Args:
        quick: one short round and small numbers, about a minute: to see that it works.
        only: table, failover, restart, idle, start, client, files, moves, engines or groups;
            may be repeated.
        rounds: how often the subjects take turns; 3 (5 for client and engines), or 1 with --quick.
        seconds: how long one figure is measured; 4 (2 for client), or 1 with --quick.
        markdown: a file to write the tables to, besides standard output.
    """
    refuse_unwritable(markdown)
    parts = only or PARTS
    lines = [_where()]
    if "table" in parts:
        lines += ["", *_table(rounds or (1 if quick else 3), seconds or (1.0 if quick else 4.0))]
    more = faults.summary(
        faults.failover_s(2 if quick else 10, _say) if "failover" in parts else None,
        faults.restart(20_000 if quick else 1_000_000, _say) if "restart" in parts else None,
        faults.idle_share(3 if quick else 10, _say) if "idle" in parts else None,
        faults.demo_start_s(1 if quick else 3, _say) if "start" in parts else None,
    )
    if set(parts) - APART:
        lines += ["", *more]
    if "client" in parts:
        lines += _client(rounds or (1 if quick else 5), seconds or (1.0 if quick else 2.0))
    if "files" in parts:
        large = library.files(FILE_BYTES // 10 if quick else FILE_BYTES, _say)
        lines += ["", *library.files_summary(large)]
    if "moves" in parts:
        lines += ["", *moves.summary(_moved(quick=quick))]
    if "engines" in parts:
        turns, span_s = rounds or (1 if quick else 5), seconds or (1.0 if quick else 4.0)
        lines += ["", *engines.summary(engines.engines(turns, span_s, _say))]
    if "groups" in parts:
        lines += ["", *groups.summary(_grouped(rounds or (1 if quick else 3), quick=quick))]
    text = "\n".join(lines)
    print(text)
    if markdown is not None:
        with written(markdown) as file:
            file.write(f"{text}\n".encode())
    return 0


def _client(rounds: int, seconds: float) -> list[str]:
    one = library.client_summary(library.client(rounds, seconds, _say))
    many = sessions.summary(sessions.sessions(rounds, seconds, _say))
    return ["", *one, "", *many]


def _table(rounds: int, seconds: float) -> list[str]:
    subjects: list[Subject] = []
    candidates: tuple[Subject, ...] = (Pnyx(), Etcd(), Redis())
    for subject in candidates:
        reason = missing(subject)
        if reason:
            _say(reason)
        else:
            subjects.append(subject)
    if not any(subject.name == "pnyx" for subject in subjects):
        raise PnyxError(
            "nothing can be measured", next_step="apt-get install redis-tools, then try again"
        )
    try:
        for subject in subjects:
            subject.start()
        cells = table.take_turns(subjects, rounds=rounds, seconds=seconds, say=_say)
    finally:
        for subject in subjects:
            subject.stop()
    settings = [f"- {subject.name}: {subject.setting}" for subject in subjects]
    return [*table.markdown(cells, subjects), "", *_legend(rounds, seconds), *settings]


def _moved(*, quick: bool) -> Sequence[moves.Moved]:
    if quick:
        return (moves.moves(SHARD_BYTES[0], 1_000, 3, _say, limited=True),)
    small, middle, large = SHARD_BYTES
    return (
        moves.moves(small, 1_000, 50, _say, limited=True),
        moves.moves(middle, 16_000, 2, _say, limited=True),
        moves.moves(middle, 16_000, 5, _say, limited=False),
        moves.moves(large, 16_000, 5, _say, limited=False),
    )


def _grouped(rounds: int, *, quick: bool) -> Sequence[groups.Grouped]:
    if quick:
        return groups.writing((1, 4), rounds, 5_000, _say)
    return [*groups.writing((1, 4, 16), rounds, 40_000, _say), groups.idling(64, _say)]


def _legend(rounds: int, seconds: float) -> Sequence[str]:
    return (
        f"Medians of {rounds} alternating rounds of about {seconds:g} s: rate, then latency p50 /"
        " p99 / p99.9",
        "as the client waited. c = connections, one request in flight each (P = so many). Values of"
        " 64 bytes,",
        "random ones of 100,000 keys, everything on loopback, load generators on the same cores."
        " CPU: leader +",
        "one follower, microseconds an operation.",
        "",
    )


def _where() -> str:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    disk = usage.file_system(Path(tempfile.gettempdir()))
    return f"pnyx {__version__}, {today}, {usage.machine()}, {disk}, one group."


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
