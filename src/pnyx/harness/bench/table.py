"""Rounds in which the subjects take turns, and the table that their medians make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from pnyx.harness.bench import usage
from pnyx.harness.bench.loads import Measured, Workload
from pnyx.harness.bench.subjects import Subject

WORKLOADS: Final = (
    Workload("SET", 1),
    Workload("SET", 50),
    Workload("SET", 200),
    Workload("GET", 1),
    Workload("GET", 50),
    Workload("GET", 200),
    Workload("SET", 50, pipeline=16),
)
WARM_UP_REQUESTS: Final = 40
"""A connection and pipeline place, before the first figure."""


@dataclass(slots=True)
class Cell:
    """All rounds of one workload on one subject."""

    rounds: list[Measured] = field(default_factory=list)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    """CPU microseconds an operation, by the process's role; a list of rounds each."""

    def middle(self) -> Measured:
        """Return the medians, each of its own column."""
        return Measured(
            median(one.per_s for one in self.rounds),
            median(one.p50_ms for one in self.rounds),
            median(one.p99_ms for one in self.rounds),
            median(one.p999_ms for one in self.rounds),
            sum(one.requests for one in self.rounds),
        )

    def cpu_words(self) -> str:
        """Return the CPU time of the leader (or only process) and of one other, in us."""
        leading = [v for role in ("leader", "server") for v in self.cpu_us.get(role, [])]
        following = [
            value
            for role, values in self.cpu_us.items()
            if role not in {"leader", "server"}
            for value in values
        ]
        words = [f"{median(values):.0f}" for values in (leading, following) if values]
        return " + ".join(words)


Cells = dict[tuple[str, str], Cell]
"""(workload name, subject name) -> its rounds."""


def take_turns(
    subjects: Sequence[Subject],
    *,
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
    workloads: Sequence[Workload] = WORKLOADS,
) -> Cells:
    """Measure every workload on every subject, `rounds` times, about `seconds` each time."""
    cells: Cells = {}
    rates: dict[tuple[str, str], float] = {}
    for number in range(1, rounds + 1):
        for workload in workloads:
            for subject in subjects:
                if workload.pipeline > 1 and not subject.pipelines:
                    continue
                place = (workload.name, subject.name)
                if place not in rates:
                    places = workload.connections * workload.pipeline
                    warm = subject.run(workload, max(500, WARM_UP_REQUESTS * places))
                    rates[place] = warm.per_s
                cell = cells.setdefault(place, Cell())
                measured = _measure(subject, workload, int(rates[place] * seconds), cell)
                say(
                    f"round {number}/{rounds}  {workload.name:<14} {subject.name:<6}"
                    f" {measured.per_s:>10,.0f}/s  p99 {measured.p99_ms:.2f} ms"
                )
    return cells


def markdown(cells: Cells, subjects: Sequence[Subject]) -> list[str]:
    """Return the table's lines: rates, latencies, CPU, and the ratios that count."""
    names = [subject.name for subject in subjects]
    others = [name for name in names if name != "pnyx"]
    head = ["workload", *names, *(f"pnyx / {name}" for name in others), "CPU us/op (pnyx)"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for workload in dict.fromkeys(name for name, _ in cells):
        own = cells.get((workload, "pnyx"))
        row = [workload]
        row += [_words(cells.get((workload, name))) for name in names]
        row += [_ratio(own, cells.get((workload, name))) for name in others]
        row.append(own.cpu_words() if own is not None else "-")
        lines.append("| " + " | ".join(row) + " |")
    return lines


def _measure(subject: Subject, workload: Workload, requests: int, cell: Cell) -> Measured:
    places = workload.connections * workload.pipeline
    requests = max(10 * places, requests)
    pids = subject.pids()
    before = {role: usage.cpu_s([pid]) for role, pid in pids.items()}
    measured = subject.run(workload, requests)
    for role, pid in pids.items():
        spent_s = usage.cpu_s([pid]) - before[role]
        cell.cpu_us.setdefault(role, []).append(spent_s * 1_000_000 / requests)
    cell.rounds.append(measured)
    return measured


def _words(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    middle = cell.middle()
    latencies = f"{middle.p50_ms:.2f} / {middle.p99_ms:.2f} / {middle.p999_ms:.1f} ms"
    return f"{middle.per_s:,.0f}/s, {latencies}"


def _ratio(own: Cell | None, other: Cell | None) -> str:
    if own is None or other is None:
        return "-"
    return f"{own.middle().per_s / other.middle().per_s:.2f}x"
