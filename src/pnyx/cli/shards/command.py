"""The two nouns and their verbs; without a quorum that it needs, each ends with status 4."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

from cyclopts import App

from pnyx.admin.controller import ControllerSilent
from pnyx.admin.members import ChangeRefused
from pnyx.cli.node import changing, listing
from pnyx.cli.shards import groups, history, moving, views

NO_QUORUM: Final = 4
_P = ParamSpec("_P")


def _quorate(verb: Callable[_P, int]) -> Callable[_P, int]:
    @wraps(verb)
    def carried_out(*args: _P.args, **kwargs: _P.kwargs) -> int:
        try:
            return verb(*args, **kwargs)
        except (ControllerSilent, ChangeRefused) as error:
            if isinstance(error, ChangeRefused) and error.reason != "no_quorum":
                raise
            sys.stdout.flush()
            print(error.explain(), file=sys.stderr)
            return NO_QUORUM

    return carried_out


group = App(name="group", help="Look at groups, let them join and leave, choose who leads them.")
group.command(views.groups, name="list")
group.command(views.group, name="show")
group.command(_quorate(groups.add), name="add")
group.command(_quorate(groups.remove), name="remove")
group.command(listing.members, name="members")
group.command(_quorate(changing.transfer_leader), name="transfer-leader")

shards = App(name="shards", help="Look at which group has which shard, and move them.")
shards.command(_quorate(views.shards), name="show")
shards.command(_quorate(views.plan), name="plan")
shards.command(_quorate(moving.move), name="move")
shards.command(_quorate(moving.watch), name="watch")
shards.command(views.movement, name="moves")
shards.command(_quorate(history.history), name="history")
