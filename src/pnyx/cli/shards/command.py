"""The two nouns and their verbs."""

from cyclopts import App

from pnyx.cli.node import changing, listing
from pnyx.cli.shards import groups, history, moving, views

group = App(name="group", help="Look at groups, let them join and leave, choose who leads them.")
group.command(views.groups, name="list")
group.command(views.group, name="show")
group.command(groups.add, name="add")
group.command(groups.remove, name="remove")
group.command(listing.members, name="members")
group.command(changing.transfer_leader, name="transfer-leader")

shards = App(name="shards", help="Look at which group has which shard, and move them.")
shards.command(views.shards, name="show")
shards.command(views.plan, name="plan")
shards.command(moving.move, name="move")
shards.command(moving.watch, name="watch")
shards.command(views.movement, name="moves")
shards.command(history.history, name="history")
