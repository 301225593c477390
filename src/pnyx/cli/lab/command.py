"""The verbs of `pnyx lab`; the module behind one is loaded when it is typed."""

from typing import Final

from cyclopts import App

lab = App(
    name="lab",
    help="Run the product's own code in a simulated world, break it, and judge it.",
)
VERBS: Final = (
    (
        "run",
        "pnyx.cli.lab.run:run",
        "Run a protocol, a seed or a scenario; exit status 6 if anything broke.",
    ),
    (
        "protocols",
        "pnyx.cli.lab.protocols:protocols",
        "List the protocols that can be watched and broken.",
    ),
    (
        "versus",
        "pnyx.cli.lab.versus:versus",
        "Play scenarios on both engines, side by side; exit status 6 if one fails on any."
        "\n\nEach row is something that was measured, with what is allowed; engines of which a"
        " scenario asks other things have rows of their own.",
    ),
    (
        "replay",
        "pnyx.cli.lab.replay:replay",
        "Play a run again from the line it printed; exit status 6 if anything broke."
        "\n\nExit status 2 if the line belongs to other code.",
    ),
    (
        "shrink",
        "pnyx.cli.lab.shrink:shrink",
        "Find the smallest run that breaks the same rule; exit status 6 if any is broken.",
    ),
    (
        "scenarios",
        "pnyx.cli.lab.scenarios:scenarios",
        "List the scenarios, or run some of them; exit status 6 if one fails.",
    ),
    (
        "campaign",
        "pnyx.cli.lab.campaign:campaign",
        "Run many seeds, in parallel, resumably; exit status 6 if anything broke.",
    ),
    (
        "check",
        "pnyx.cli.lab.check:check",
        "Judge a file of client operations."
        "\n\nExit status 0 linearizable, 6 not linearizable, 7 undecided, 2 unreadable.",
    ),
    (
        "explore",
        "pnyx.cli.lab.explore:explore",
        "Try every order of events in a small scope: a group that runs Raft."
        "\n\nExit status 0 if all was seen and is clean, 6 if a check is broken, 7 if a bound"
        " stopped it. With a goal: 0 if it is reached, 5 if no state of the scope is one.",
    ),
    ("zoo", "pnyx.cli.lab.zoo:zoo", "The bugs that the Lab must catch, and the hunt for them."),
)
"""Name, where it is, and its help, whose first sentence stands in `pnyx lab --help`."""

for _name, _place, _help in VERBS:
    lab.command(_place, name=_name, help=_help)
