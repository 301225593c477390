"""What is written down of the hunts: the table of pinned seeds, and the page of the reference."""

from collections.abc import Mapping, Sequence
from typing import Final

from pnyx.lab.zoo.catalogue import ABSENT, MUTANTS
from pnyx.lab.zoo.mutant import FAMILIES
from pnyx.lab.zoo.pinned import PINNED, Pin

_PINNED_BEGINS: Final = '''\
"""A seed for each planted bug that catches it at once. Made by `pnyx lab zoo hunt --all`."""

from typing import Final, NamedTuple


class Pin(NamedTuple):
    """One hunt's end."""

    seed: int
    """A run of the swarm, or of its scenario, in which the bug is caught."""
    invariant: str
    """Which broke first."""
    runs: int
    """How many runs the hunt took, this one included."""


PINNED: Final[dict[str, Pin]] = {
'''
_PAGE_BEGINS: Final = """\
# The bug zoo

Made from the code by `make docs`; a test compares the two. Each line is a bug that a real system
really had, planted into pnyx for the time of a run: functions are patched, never a line of the
product. The Lab must notice each within 2,000 runs of its general swarm, which knows nothing of
what is planted, or of a scenario where the swarm has no place for it (families S, P and W). "Caught
by" is the invariant that broke first at the pinned seed (`scenario`: what its script asserts),
"runs" is how many runs the hunt took (at most, where only the seed is known). A hunt may leave out
runs of the swarm that cannot show its bug. `pnyx lab zoo hunt NAME` hunts one.

"""


def pinned_source(pins: Mapping[str, Pin]) -> str:
    """Return the text of zoo/pinned.py for `pins`, by the mutants' names."""
    lines = [
        f'    "{mutant.name}": Pin({pin.seed}, "{pin.invariant}", {pin.runs}),\n'
        for mutant in MUTANTS
        if (pin := pins.get(mutant.name)) is not None
    ]
    return _PINNED_BEGINS + "".join(lines) + "}\n"


def page() -> str:
    """Return docs/reference/zoo.md."""
    parts = [_PAGE_BEGINS]
    for letter, title in FAMILIES.items():
        rows = [
            (
                f"`{mutant.name}`",
                mutant.story,
                mutant.seen,
                _caught(mutant.name),
                _runs(mutant.name),
            )
            for mutant in MUTANTS
            if mutant.family == letter
        ]
        parts.append(f"## {letter}. {title}\n\n{_table(rows)}\n")
        parts += [
            f"`{mutant.name}` is hunted in runs with {mutant.bias.what}.\n\n"
            for mutant in MUTANTS
            if mutant.family == letter and mutant.bias is not None
        ]
        absent = [entry for entry in ABSENT if entry.family == letter]
        if absent:
            parts.append("Not planted:\n\n")
            parts += [f"- **{entry.id}** {entry.what} {entry.why}\n" for entry in absent]
            parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head = "| mutant | what is wrong | seen in | caught by | runs |\n|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _caught(name: str) -> str:
    pin = PINNED.get(name)
    return "not yet" if pin is None else f"`{pin.invariant}`"


def _runs(name: str) -> str:
    pin = PINNED.get(name)
    return "" if pin is None else str(pin.runs)
