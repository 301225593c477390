"""What Multi-Paxos costs beside Raft: the same writes to two clusters, in turns, in one run."""

from collections.abc import Callable
from statistics import median
from typing import Final

from pnyx.consensus.engines import EngineName
from pnyx.harness.bench.loads import Workload
from pnyx.harness.bench.subjects import Pnyx
from pnyx.harness.bench.table import Cell, Cells, take_turns

Say = Callable[[str], None]

WORKLOADS: Final = (Workload("SET", 50), Workload("SET", 200))


def engines(rounds: int, seconds: float, say: Say) -> Cells:
    """Measure writes on a cluster of each engine, in alternating rounds."""
    subjects = [Pnyx(engine) for engine in EngineName]
    try:
        for subject in subjects:
            subject.start()
        return take_turns(subjects, rounds=rounds, seconds=seconds, say=say, workloads=WORKLOADS)
    finally:
        for subject in subjects:
            subject.stop()


def summary(cells: Cells) -> list[str]:
    """Return the lines of a Markdown table."""
    head = ["workload", *EngineName, "rate", "p99", "CPU us/op, three nodes", "CPU"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for workload in WORKLOADS:
        raft, paxos = (cells[workload.name, engine] for engine in EngineName)
        spent_us = _cpu_us(raft), _cpu_us(paxos)
        row = [
            workload.name,
            _said(raft),
            _said(paxos),
            _ratio([one.per_s for one in paxos.rounds], [one.per_s for one in raft.rounds]),
            _ratio([one.p99_ms for one in paxos.rounds], [one.p99_ms for one in raft.rounds]),
            f"{spent_us[0]:.0f}, {spent_us[1]:.0f}",
            f"{spent_us[1] / spent_us[0]:.2f}x",
        ]
        lines.append("| " + " | ".join(row) + " |")
    return [*lines, "", "Ratios are multipaxos / raft, of rate and p99 the median over the rounds."]


def _said(cell: Cell) -> str:
    middle = cell.middle()
    return f"{middle.per_s:,.0f}/s, p99 {middle.p99_ms:.1f} ms"


def _cpu_us(cell: Cell) -> float:
    """Return what all nodes together spent on an operation, whoever led."""
    return sum(map(sum, cell.cpu_us.values())) / len(cell.rounds)


def _ratio(own: list[float], other: list[float]) -> str:
    return f"{median(mine / theirs for mine, theirs in zip(own, other, strict=True)):.2f}x"
