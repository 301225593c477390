"""shards history: the controller's numbered decisions, kept for ever."""

from collections import Counter
from typing import Final

from pnyx.admin import controller
from pnyx.admin.controller import Configuration
from pnyx.admin.moves import name_of
from pnyx.cli.options import Config, Http, Password
from pnyx.cli.output import Form, say_absent, show
from pnyx.cli.places import cluster_of
from pnyx.cli.shards.views import TARGETS, target_runs
from pnyx.cli.statuses import NOT_FOUND, OK
from pnyx.errors import SettingsWrong

COLUMNS: Final = ("number", "groups", "shards", "moved", "change")


def history(
    number: int | None = None,
    *,
    last: int = 20,
    config: Config = None,
    http: Http = None,
    password: Password = None,
    output: Form = "table",
) -> int:
    """Show which groups should have had how many shards in each configuration, oldest first.

    Args:
        number: show this one alone, with who should have had which shard; exit status 5 if there is
            no such number.
        last: so many of the newest.
        output: table, json, jsonl or plain.
    """
    if last < 1:
        raise SettingsWrong(f"--last {last} shows nothing", next_step="it is 1 or more")
    cluster = cluster_of(config, http, password)
    if number is not None:
        # Above the newest the controller answers with the newest.
        asked = controller.configuration(cluster, number)
        if asked.number != number:
            say_absent(f"configuration {number}", "pnyx shards history")
            return NOT_FOUND
        show(target_runs(asked.targets), TARGETS, output)
        return OK
    newest = controller.configuration(cluster)
    first = max(0, newest.number + 1 - last)
    before = controller.configuration(cluster, first - 1) if first else None
    rows = []
    for each in range(first, newest.number + 1):
        now = newest if each == newest.number else controller.configuration(cluster, each)
        rows.append(_row(before, now))
        before = now
    show(rows, COLUMNS, output)
    return OK


def _row(before: Configuration | None, now: Configuration) -> dict[str, object]:
    loads = Counter(now.targets)
    groups = [placed.group for placed in now.placements]
    return {
        "number": now.number,
        "groups": " ".join(map(name_of, groups)) or None,
        "shards": " ".join(str(loads[group]) for group in groups) or None,
        "moved": len(_moved(before, now)),
        "change": _change(before, now),
    }


def _moved(before: Configuration | None, now: Configuration) -> list[int]:
    """Return the shards that went from one group to another; first owners do not count."""
    if before is None:
        return []
    pairs = zip(before.targets, now.targets, strict=True)
    return [shard for shard, (old, new) in enumerate(pairs) if old not in {new, controller.NOBODY}]


def _change(before: Configuration | None, now: Configuration) -> str:
    if before is None:
        return "founded" if now.number == 0 else ""
    groups = [{placed.group for placed in one.placements} for one in (before, now)]
    came, went = sorted(groups[1] - groups[0]), sorted(groups[0] - groups[1])
    if came:
        return f"join {' '.join(map(name_of, came))}"
    if went:
        return f"leave {' '.join(map(name_of, went))}"
    shards = _moved(before, now)
    return f"move {shards[0]} {name_of(now.targets[shards[0]])}" if shards else ""
