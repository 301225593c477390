"""lab versus: the same scenario and seed on both engines, side by side."""

from typing import Final

from pnyx.cli.options import Seed
from pnyx.cli.output import Form, show
from pnyx.cli.statuses import OK, VIOLATED
from pnyx.consensus.engines import EngineName
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.judge import watched_scenario
from pnyx.lab.stage import Result
from pnyx.lab.variants import on_engine

PARTIAL: Final = ("X-C1", "X-C2", "X-C3")
"""Partial connectivity: quorum loss, constrained election, chained."""


def versus(*names: str, seed: Seed = 1, output: Form = "table") -> int:
    """Play scenarios on both engines, side by side; exit status 6 if one fails on any.

    Each row is something that was measured, with what is allowed; engines of which a scenario asks
    other things have rows of their own.

    Args:
        names: ids of scenarios; X-C1 (quorum loss), X-C2 (constrained) and X-C3 (chained) if left
            out.
        seed: the same for all.
        output: table, json, jsonl or plain.
    """
    rows: list[dict[str, object]] = []
    status = OK
    for name in names or PARTIAL:
        results = {
            engine: watched_scenario(scenario_named(on_engine(name, engine)), seed)
            for engine in EngineName
        }
        rows += _rows(name.upper(), results)
        if not all(result.ok for result in results.values()):
            status = VIOLATED
    columns = ("scenario", "what", *(str(engine) for engine in EngineName), "allowed")
    show(rows, columns, output)
    return status


def _rows(name: str, results: dict[EngineName, Result]) -> list[dict[str, object]]:
    verdicts = {
        str(engine): "passed" if result.ok else result.failed or str(result.violation)
        for engine, result in results.items()
    }
    rows: list[dict[str, object]] = [{"scenario": name, "what": "verdict", **verdicts}]
    measures = dict.fromkeys(
        (budget.name, budget.allowed) for result in results.values() for budget in result.budgets
    )
    for what, allowed in measures:
        used = {
            str(engine): f"{budget.used:g}"
            for engine, result in results.items()
            for budget in result.budgets
            if (budget.name, budget.allowed) == (what, allowed)
        }
        rows.append({"scenario": name, "what": what, **used, "allowed": f"{allowed:g}"})
    return rows
