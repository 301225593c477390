"""The noun and its verbs."""

from cyclopts import App

from pnyx.cli.node import changing, listing, recovery

node = App(name="node", help="Look at the nodes of a running cluster, add and remove them.")
node.command(listing.list_, name="list")
node.command(listing.show, name="show")
node.command(changing.add, name="add")
node.command(changing.remove, name="remove")
node.command(changing.drain, name="drain")
node.command(recovery.recover, name="recover")
