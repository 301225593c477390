"""The verbs of `pnyx lab`; the module behind one is loaded when it is typed."""

from typing import Final

from cyclopts import App

lab = App(
    name="lab",
    help="Run the product's own code in a simulated world, break it, and judge it.",
)
VERBS: Final = (
    ("run", "pnyx.cli.lab.run:run", "Run a protocol, a seed or a scenario; 6 if it fails."),
    (
        "protocols",
        "pnyx.cli.lab.protocols:protocols",
        "List the protocols that can be watched and broken.",
    ),
    ("versus", "pnyx.cli.lab.versus:versus", "Play a scenario on both engines, side by side."),
    ("replay", "pnyx.cli.lab.replay:replay", "Play a run again from the line it printed."),
    ("shrink", "pnyx.cli.lab.shrink:shrink", "Find the smallest run that breaks the same rule."),
    ("scenarios", "pnyx.cli.lab.scenarios:scenarios", "List the scenarios, or run some of them."),
    ("campaign", "pnyx.cli.lab.campaign:campaign", "Run many seeds, in parallel, resumably."),
    ("check", "pnyx.cli.lab.check:check", "Judge a file of client operations."),
    ("explore", "pnyx.cli.lab.explore:explore", "Try every order of events in a small scope."),
    ("zoo", "pnyx.cli.lab.zoo:zoo", "The bugs that the Lab must catch, and the hunt for them."),
)
"""Name, where it is, and its sentence for `pnyx lab --help`."""

for _name, _place, _sentence in VERBS:
    lab.command(_place, name=_name, help=_sentence)
