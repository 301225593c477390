"""group list and show, shards show and plan: what there is and what is still to be moved."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from pnyx.admin import controller, moves
from pnyx.admin.controller import Configuration, Maps, slots_of
from pnyx.admin.groups import GroupView, groups as known_groups, newest
from pnyx.admin.health import Asked, ask_members
from pnyx.admin.movement import ask_moves
from pnyx.admin.moves import Move, name_of, number_of
from pnyx.cli.node.listing import say_silent
from pnyx.cli.options import Config, Flag, Http, Password
from pnyx.cli.output import Form, say_absent, show
from pnyx.cli.places import cluster_of, pages
from pnyx.cli.statuses import DEGRADED, NO_QUORUM, NOT_FOUND, OK
from pnyx.ids import SLOT_COUNT

GROUPS: Final = ("group", "leader", "state", "nodes", "shards", "slots", "share", "consensus")
SHARDS: Final = ("shards", "slots", "group", "to")
EACH_SHARD: Final = ("shard", "slots", "group", "to", "epoch")
TARGETS: Final = ("shards", "slots", "group")
MOVEMENT: Final = ("shard", "from", "to", "stage", "keys", "bytes", "ms", "freeze_ms", "why")
MOVES: Final = ("from", "to", "count", "shards")


def groups(*, config: Config = None, http: Http = None, output: Form = "table") -> int:
    """List the groups: who leads each, on which nodes it lives, and how much it serves.

    It is what the nodes know, so it is answered without the controller, too.

    Args:
        output: table, json, jsonl or plain.
    """
    rows = _rows(ask_members(pages(config, http)))
    show(rows, GROUPS, output)
    return OK if rows and all(row["leader"] for row in rows) else NO_QUORUM


def group(name: str, *, config: Config = None, http: Http = None, output: Form = "table") -> int:
    """Show one group; exit status 5 if there is none of that name.

    Args:
        name: for example g2.
        output: table prints a line a field; json, jsonl or plain one row.
    """
    asked = ask_members(pages(config, http))
    number = number_of(name)
    found = [row for row in _rows(asked) if row["group"] == name_of(number)]
    report = newest(asked)
    if report is None:
        say_silent()
        return NO_QUORUM
    held = [run["slots"] for run in target_runs(report.owners) if run["group"] == name_of(number)]
    if not found:
        say_absent(f"group {name_of(number)}", "pnyx group list")
        return NOT_FOUND
    for row in found:
        row["slots"] = " ".join(map(str, held)) or None
    if output == "table":
        fields = [{"field": field, "value": row[field]} for row in found for field in GROUPS]
        show(fields, ("field", "value"), output)
    else:
        show(found, GROUPS, output)
    return OK


def shards(
    *,
    each: Flag = False,
    config: Config = None,
    http: Http = None,
    password: Password = None,
    output: Form = "table",
) -> int:
    """Show which group serves which shards now, and where some are on their way to.

    Args:
        each: a row a shard, with its epoch; without it a row a run of equal ones.
        output: table, json, jsonl or plain.
    """
    maps = controller.maps(cluster_of(config, http, password))
    count = len(maps.configuration.targets)
    to = {move.shard: move.target for move in moves.to_move(maps)}
    serving = maps.directory.shards
    if each:
        rows: Iterable[dict[str, object]] = (
            {
                "shard": shard,
                "slots": _range(slots_of(shard, count)),
                "group": name_of(one.group),
                "to": name_of(to[shard]) if shard in to else None,
                "epoch": one.epoch,
            }
            for shard, one in enumerate(serving)
        )
        show(rows, EACH_SHARD, output)
        return OK
    runs = _runs(count, lambda shard: (serving[shard].group, to.get(shard)))
    show(
        (
            _run(first, last, count)
            | {"group": name_of(held), "to": None if target is None else name_of(target)}
            for first, last, (held, target) in runs
        ),
        SHARDS,
        output,
    )
    return OK


def plan(
    *,
    config: Config = None,
    http: Http = None,
    password: Password = None,
    output: Form = "table",
) -> int:
    """Show what is decided and not done yet: the shards that are still to be moved.

    What a change would move is shown by its --dry-run.

    Args:
        output: table, json, jsonl or plain.
    """
    show_moves(moves.to_move(controller.maps(cluster_of(config, http, password))), output)
    return OK


def movement(*, config: Config = None, http: Http = None, output: Form = "table") -> int:
    """Show the moves under way, and the last that ended: how far, how much, how long frozen.

    `freeze_ms` is how long nobody served the shard. What a node that does not answer knows is
    missing: exit status 3, or 4 if those that answer are no majority.

    Args:
        output: table, json, jsonl or plain.
    """
    where = pages(config, http)
    seen = ask_moves(where)
    rows = (
        {
            "shard": one.shard,
            "from": name_of(one.source),
            "to": name_of(one.destination),
            "stage": one.stage,
            "keys": one.keys,
            "bytes": one.copied_bytes,
            "ms": one.elapsed_ms,
            "freeze_ms": one.freeze_ms,
            "why": one.why or None,
        }
        for one in (*seen.ended, *seen.under_way)
    )
    show(rows, MOVEMENT, output)
    if not seen.silent:
        return OK
    print(
        f"without {' '.join(seen.silent)}, no answer: moves to groups led there are not shown\n"
        "  next    `pnyx health` shows how to bring them back",
        file=sys.stderr,
    )
    return DEGRADED if 2 * len(seen.silent) < len(where) else NO_QUORUM


def say_plan(what: str, maps: Maps, after: Configuration, output: Form) -> None:
    """Print what a change would lead to; its sentence is not among what programs read."""
    left, before = moves.between(maps, after), maps.configuration.number
    print(
        f"would {what}; configuration {before} -> {after.number}, {len(left)} of "
        f"{len(after.targets)} shards move",
        file=sys.stdout if output == "table" else sys.stderr,
    )
    if left or output != "table":
        show_moves(left, output)


def show_moves(left: Sequence[Move], output: Form) -> None:
    """Print moves: a row a pair of groups, or a row a shard for programs; words if none are."""
    if output == "table" and not left:
        print("nothing to move: every shard is where it should be")
        return
    if output in {"json", "jsonl"}:
        rows = (
            {"shard": one.shard, "from": name_of(one.source), "to": name_of(one.target)}
            for one in left
        )
        show(rows, (), output)
        return
    pairs = sorted({(one.source, one.target) for one in left})
    show(
        (
            {
                "from": name_of(source),
                "to": name_of(target),
                "count": sum((one.source, one.target) == (source, target) for one in left),
                "shards": _ranges(
                    [one.shard for one in left if (one.source, one.target) == (source, target)]
                ),
            }
            for source, target in pairs
        ),
        MOVES,
        output,
    )


def _rows(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    return [_row(view) for view in known_groups(asked)]


def _row(view: GroupView) -> dict[str, Any]:
    state = "ok" if view.leader else "no quorum"
    return {
        "group": view.name,
        "leader": view.leader,
        "state": f"{state}, without {' '.join(view.missing)}" if view.missing else state,
        "nodes": " ".join(view.nodes),
        "shards": view.shards,
        "slots": view.slots,
        "share": f"{100 * view.slots / SLOT_COUNT:.1f} %",
        "consensus": view.engine,
    }


def target_runs(owners: Sequence[int]) -> Iterator[dict[str, object]]:
    """Yield a row a run of shards that have the same owner."""
    for first, last, owner in _runs(len(owners), lambda shard: owners[shard]):
        yield _run(first, last, len(owners)) | {"group": name_of(owner)}


def _runs(count: int, what: Callable[[int], Any]) -> Iterator[tuple[int, int, Any]]:
    for value, found in groupby(range(count), key=what):
        run = list(found)
        yield run[0], run[-1], value


def _run(first: int, last: int, count: int) -> dict[str, object]:
    slots = (slots_of(first, count)[0], slots_of(last, count)[1])
    return {"shards": _range((first, last)), "slots": _range(slots)}


def _range(ends: tuple[int, int]) -> str:
    first, last = ends
    return str(first) if first == last else f"{first}-{last}"


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as 0-3,7."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(_range((first, last)) for first, last in found)
