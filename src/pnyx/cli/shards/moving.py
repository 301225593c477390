"""shards move and shards watch."""

from pnyx.admin import controller, moves
from pnyx.admin.moves import Goal, number_of
from pnyx.cli.options import Config, Flag, Http, Password
from pnyx.cli.output import Form
from pnyx.cli.places import cluster_of
from pnyx.cli.shards.views import say_plan
from pnyx.cli.shards.waiting import wait_for
from pnyx.cli.statuses import OK


def move(
    shard: int,
    group: str,
    *,
    config: Config = None,
    http: Http = None,
    wait: int = int(moves.WAIT_S),
    password: Password = None,
    dry_run: Flag = False,
    output: Form = "table",
) -> int:
    """Let one shard go to a group, where it stays until the next group joins or leaves.

    A move that waits for a group without a quorum is taken back by moving the shard to where it is.

    Args:
        shard: its number; `pnyx shards show` lists them.
        group: for example g2.
        wait: seconds to wait for the shard; 0 returns once it is decided.
        dry_run: print what would move, and do nothing.
        output: of a dry run: table, json, jsonl or plain.
    """
    cluster = cluster_of(config, http, password)
    to = number_of(group)
    if dry_run:
        maps = controller.maps(cluster)
        after = controller.plan(cluster, controller.moving(shard, to))
        say_plan(f"move shard {shard}", maps, after, output)
        return OK
    return wait_for(cluster, moves.move(cluster, shard, to), wait, "pnyx shards watch")


def watch(
    *,
    config: Config = None,
    http: Http = None,
    wait: int = int(moves.WAIT_S),
    password: Password = None,
) -> int:
    """Wait until every shard is where it should be.

    Args:
        wait: seconds to wait.
    """
    return wait_for(cluster_of(config, http, password), Goal(), wait, "pnyx shards watch")
