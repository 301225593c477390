"""The noun and its verbs."""

from cyclopts import App

from pnyx.cli.fs import care, verbs

fs = App(name="fs", help="Keep files in the cluster: list, write, read, move and check them.")
fs.command(verbs.ls)
fs.command(verbs.tree)
fs.command(verbs.stat)
fs.command(verbs.cat)
fs.command(verbs.put)
fs.command(verbs.get)
fs.command(verbs.cp)
fs.command(verbs.mv)
fs.command(verbs.rm)
fs.command(verbs.mkdir)
fs.command(care.fsck)
fs.command(care.quota)
