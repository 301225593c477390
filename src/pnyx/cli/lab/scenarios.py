"""lab scenarios: what there is, or one seed of some of them."""

from pnyx.cli.lab.run import show_result
from pnyx.cli.options import Flag, Seed
from pnyx.cli.output import Form, show
from pnyx.cli.progress import Progress
from pnyx.cli.statuses import OK, VIOLATED
from pnyx.harness.campaign import chosen_scenarios
from pnyx.lab.judge import watched_scenario


def scenarios(*names: str, run: Flag = False, seed: Seed = 1, output: Form = "table") -> int:
    """List the scenarios, or run some of them; exit status 6 if one fails.

    Args:
        names: ids, what ids begin with (S-X2), or families (raft, kv, network, engines, paxos,
            backup); all if left out.
        run: play each at one seed instead of listing it.
        seed: for --run.
        output: table, json, jsonl or plain.
    """
    chosen = [scenario for name in names or ("scenarios",) for scenario in chosen_scenarios(name)]
    if not run:
        rows = [
            {
                "id": scenario.id,
                "nodes": scenario.nodes,
                "real": scenario.real,
                "about": scenario.about,
                "source": scenario.source,
            }
            for scenario in chosen
        ]
        show(rows, ("id", "nodes", "real", "about"), output)
        return OK
    progress = Progress(len(chosen), "scenarios")
    status = OK
    played: list[dict[str, object]] = []
    for scenario in chosen:
        result = watched_scenario(scenario, seed)
        progress.step(scenario.id)
        if not result.ok:
            status = max(status, show_result(result, quiet=True))
        played.append(
            {
                "id": scenario.id,
                "ok": result.ok,
                "events": result.events,
                "simulated_s": round(result.simulated_us / 1e6, 2),
                "budgets": ", ".join(str(budget) for budget in result.budgets) or None,
            }
        )
    progress.end()
    show(played, ("id", "ok", "events", "simulated_s", "budgets"), output)
    assert status in (OK, VIOLATED), "a scenario passes or fails"
    return status
