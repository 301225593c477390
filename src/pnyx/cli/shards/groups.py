"""group add and group remove: asked once, then waited for; asked again, gone on with."""

from collections.abc import Sequence
from typing import Literal

from pnyx.admin import controller, moves
from pnyx.admin.health import ask_members
from pnyx.admin.moves import counted, name_of, numbers_of
from pnyx.admin.placing import up_and_down
from pnyx.cli.options import Config, Flag, Http, Password
from pnyx.cli.output import Form
from pnyx.cli.places import cluster_of
from pnyx.cli.shards.views import say_plan
from pnyx.cli.shards.waiting import agreed, wait_for
from pnyx.cli.statuses import FAILED, OK
from pnyx.errors import SettingsWrong


def add(
    *names: str,
    nodes: str = "",
    apart: Flag = False,
    consensus: Literal["raft", "multipaxos"] | None = None,
    config: Config = None,
    http: Http = None,
    wait: int = int(moves.WAIT_S),
    password: Password = None,
    dry_run: Flag = False,
    output: Form = "table",
) -> int:
    """Let groups join, and wait until they serve their part of the shards.

    Interrupted, the shards go on moving; asked again, it goes on waiting. Clients are served all
    along.

    Args:
        names: g4, or g4 g5 for several at once; the next free number if there is none.
        nodes: labels, the one that is to lead first, for example n1,n2,n3; those that have least
            if not said, as many as make the group safer, one that is down among them if it must be.
        apart: refuse nodes that have another group already.
        consensus: what keeps the groups' logs, for ever; what the nodes' settings say if not said.
        wait: seconds to wait for the shards; 0 returns once it is decided.
        dry_run: print what would move, and do nothing.
        output: of a dry run: table, json, jsonl or plain.
    """
    cluster = cluster_of(config, http, password)
    maps = controller.maps(cluster)
    numbers = numbers_of(names) or [moves.next_number(maps)]
    labels = [label for label in nodes.split(",") if label]
    wanted: dict[int, Sequence[str]] = dict.fromkeys(numbers, labels)
    up, down = up_and_down(ask_members(cluster.pages))
    fresh = moves.wanted_placements(maps, wanted, up, consensus, down)
    if dry_run:
        after = maps.configuration
        if fresh:
            wish = controller.joining(fresh, apart=apart, engine=consensus)
            after = controller.plan(cluster, wish)
        what = [_placed(group, each, down) for group, each in fresh.items()]
        say_plan(f"join: {', '.join(what) or 'nothing'}", maps, after, output)
        return OK
    goal = moves.join(cluster, wanted, nodes=up, down=down, apart=apart, engine=consensus)
    joined = controller.configuration(cluster)
    for placed in joined.placements:
        if placed.group in wanted:
            again = "" if placed.group in fresh else " already, going on"
            print(f"{_placed(placed.group, placed.nodes, down)}{again}")
    return wait_for(cluster, goal, wait, f"pnyx group add {' '.join(map(name_of, numbers))}")


def remove(
    *names: str,
    config: Config = None,
    http: Http = None,
    wait: int = int(moves.WAIT_S),
    password: Password = None,
    yes: Flag = False,
    dry_run: Flag = False,
    output: Form = "table",
) -> int:
    """Let groups leave, wait until others serve what they had, and retire their numbers.

    Interrupted, the shards go on moving; asked again, it goes on waiting and then retires them. The
    last group stays.

    Args:
        names: g4, or g4 g5 for several at once.
        wait: seconds to wait for the shards; 0 returns once it is decided, and retires nothing.
        yes: do not ask.
        dry_run: print what would move, and do nothing.
        output: of a dry run: table, json, jsonl or plain.
    """
    if not names:
        raise SettingsWrong("nothing to remove", next_step="name a group: `pnyx group list`")
    cluster = cluster_of(config, http, password)
    numbers = numbers_of(names)
    maps = controller.maps(cluster)
    staying = moves.to_leave(maps, numbers)
    after = maps.configuration
    if staying:
        after = controller.plan(cluster, controller.leaving(staying))
    if dry_run:
        what = [name_of(group) for group in staying]
        say_plan(f"leave: {', '.join(what) or 'nothing'}", maps, after, output)
        return OK
    said = " ".join(map(name_of, numbers))
    count = counted(len(moves.between(maps, after)), "shard moves", "shards move")
    if staying and not agreed(f"let {said} leave for ever: {count}", yes=yes):
        return FAILED
    goal = moves.leave(cluster, numbers)
    status = wait_for(cluster, goal, wait, f"pnyx group remove {said}")
    if wait:
        moves.retire(cluster, numbers)
        print(f"{said} left for ever; the replicas are destroyed")
    return status


def _placed(group: int, labels: Sequence[str], down: Sequence[str]) -> str:
    absent = [label for label in labels if label in down]
    later = f" (when it answers again: {' '.join(absent)})" if absent else ""
    return f"{name_of(group)} on {' '.join(labels)}{later}"
