"""node add, remove and drain, group transfer-leader: asked of the leaders, whoever they are."""

import sys
import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from pnyx.admin import leaders
from pnyx.admin.controller import Cluster
from pnyx.admin.health import Asked, Health, ask_members, judge
from pnyx.admin.members import ChangeRefused, change
from pnyx.cli.asking import go_on
from pnyx.cli.node.listing import leading
from pnyx.cli.node.newcomer import Newcomer, placed, write_file
from pnyx.cli.options import Config, Flag, Http, Password
from pnyx.cli.places import cluster_of, pages, password as password_of
from pnyx.cli.statuses import FAILED, OK

POLL_S: Final = 0.2


def add(
    node: str,
    *,
    config: Path | None = None,
    http: str | None = None,
    directory: Annotated[Path, Parameter(name="--dir")] = Path(),
    wait: int = 300,
    group: int | None = None,
    password: Password = None,
    dry_run: Flag = False,
) -> int:
    """Add a node: write its settings file, wait until it is started, and make it a voter.

    It first receives everything as a learner, which is not counted. It becomes a member of the
    controller and of every group, unless one is named. Asked again, it goes on where it was.

    Args:
        node: LABEL=HOST or LABEL=HOST:GATEWAY,CLUSTER,PEER,HTTP (ports); LABEL if it has its file.
        config: a running node's settings file; the new file gets the same settings.
        http: HOST:PORT of a running node's http page.
        directory: where LABEL.toml goes; a file that exists is never overwritten.
        wait: seconds to wait for the node to be started; 0 only writes the file.
        group: make it a member of this group alone; 0 is the controller.
        dry_run: print what would be done, and do nothing.
    """
    where = pages(config, http)
    newcomer = Newcomer.parsed(node)
    asked = ask_members(where)
    status = leading(asked)
    if status is None:
        raise ChangeRefused(
            f"could not add {newcomer.label}; nothing was changed", reason="no_quorum"
        )
    secret = password_of(config, http, password)
    placed(newcomer, status)
    if dry_run:
        where_to = f"write {directory / newcomer.label}.toml, " if newcomer.address else ""
        print(f"would {where_to}wait for {newcomer.label} and make it a learner, then a voter")
        _print_after(judge(asked), len([one for one in status["members"] if one["voter"]]) + 1)
        return OK
    if newcomer.address is not None:
        path = write_file(newcomer, directory, status, config, secret)
        print(path)
        print(f"start it on {newcomer.address.host}:  pnyx server --config {path}", file=sys.stderr)
    if wait == 0:
        return OK
    _add(newcomer.label, where, secret, wait, group)
    print(judge(ask_members(where)).sentence())
    return OK


def remove(
    label: str,
    *,
    config: Config = None,
    http: Http = None,
    group: int | None = None,
    password: Password = None,
    yes: Flag = False,
    dry_run: Flag = False,
) -> int:
    """Remove a node for ever: it is not counted any more, and its process stops and says why.

    Its data stays on its disk. A node that is to come back needs an empty data directory. It leaves
    every group and the controller, unless one is named: then its process goes on.

    Args:
        label: the node's name, or its NodeId in hexadecimal.
        group: remove it from this group alone.
        yes: do not ask.
        dry_run: print what would be done, and do nothing.
    """
    where = pages(config, http)
    place = "" if group is None else f" from group g{group}"
    if not _agreed(label, where, f"remove {label}{place} for ever", yes=yes, dry_run=dry_run):
        return OK if dry_run else FAILED
    change(where, "remove", label, group=group, password=password_of(config, http, password))
    print(f"removed {label}{place}")
    print(judge(_without(label, where) if group is None else ask_members(where)).sentence())
    return OK


def drain(
    label: str,
    *,
    config: Config = None,
    http: Http = None,
    password: Password = None,
    yes: Flag = False,
    dry_run: Flag = False,
) -> int:
    """Hand a node's leadership over, then remove it, so that its machine can be switched off.

    Args:
        label: the node's name.
        yes: do not ask.
        dry_run: print what would be done, and do nothing.
    """
    where = pages(config, http)
    what = f"move leadership away from {label}, then remove it for ever"
    if not _agreed(label, where, what, yes=yes, dry_run=dry_run):
        return OK if dry_run else FAILED
    leaders.drain(Cluster(where, password_of(config, http, password)), label)
    print(f"drained {label}: its process stops by itself, its machine may be switched off")
    print(judge(_without(label, where)).sentence())
    return OK


def transfer_leader(
    label: str = "",
    *,
    group: int = 1,
    config: Config = None,
    http: Http = None,
    password: Password = None,
) -> int:
    """Hand leadership to a node, or, without a name, to the follower that has most of the log.

    It stays there until the node that the group's leader belongs to is started anew.

    Args:
        label: the node's name.
        group: whose leadership; 0 is the controller's.
    """
    print(f"leader {leaders.hand_over(cluster_of(config, http, password), label, group)}")
    return OK


def _add(
    label: str,
    where: dict[str, tuple[str, int]],
    secret: str | None,
    wait_s: float,
    group: int | None,
) -> None:
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        try:
            change(where, "add", label, group=group, password=secret)
        except ChangeRefused as error:
            if error.reason not in {"not_linked", "changing"} or time.monotonic() > deadline:
                raise
            if not told:
                print(f"waiting for {label} ...", file=sys.stderr)
                told = True
            time.sleep(POLL_S)
        else:
            return


def _agreed(
    label: str, where: dict[str, tuple[str, int]], what: str, *, yes: bool, dry_run: bool
) -> bool:
    """Print the plan; return whether it is to be carried out."""
    asked = ask_members(where)
    status = leading(asked)
    if status is None:
        raise ChangeRefused(f"could not {what}; nothing was changed", reason="no_quorum")
    named = [one for one in status["members"] if label in {one["label"], f"{one['node']:x}"}]
    if not named:
        raise ChangeRefused(f"could not {what}; nothing was changed", reason="not_member")
    print(f"{'would' if dry_run else 'will'} {what}")
    rest = [one for one in status["members"] if one["voter"] and one not in named]
    _print_after(judge(asked), len(rest), sum(one["reachable"] for one in rest))
    if dry_run or yes:
        return yes and not dry_run
    return go_on(what)


def _print_after(before: Health, voters: int, reached: int | None = None) -> None:
    majority = voters // 2 + 1
    up = voters if reached is None else reached
    print(f"now     {before.sentence()}")
    print(f"after   {voters} voters, {majority} needed; may lose {max(0, up - majority)}")


def _without(label: str, where: dict[str, tuple[str, int]]) -> list[Asked]:
    return ask_members({name: place for name, place in where.items() if name != label})
