"""What is written down of the hunts: pinned seeds, sizes, and the page of the reference."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from pnyx.lab.zoo.catalogue import ABSENT, MUTANTS
from pnyx.lab.zoo.mutant import FAMILIES
from pnyx.lab.zoo.pinned import PINNED, Pin
from pnyx.lab.zoo.sizes import SIZES, Size

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
_SIZES_BEGIN: Final = '''\
"""How little is left of each planted bug's pinned run. Made by `pnyx lab zoo measure`."""

from typing import Final, NamedTuple


class Size(NamedTuple):
    """The smallest run that was found to break the same rule."""

    seed: int
    """Of the run that it was made of."""
    faults: int
    requests: int
    """But for those to a healed core."""


SIZES: Final[dict[str, Size]] = {
'''
_PAGE_BEGINS: Final = """\
# The bug zoo

Made from the code by `make docs`; a test compares the two. Each line is a bug that a real system
really had, planted into pnyx for the time of a run: functions are patched, never a line of the
product. The Lab must notice each within 2,000 runs of its general swarm, which knows nothing of
what is planted, or of a scenario where the swarm has no place for it (families S, P and W). "Caught
by" is the invariant that broke first at the pinned seed (`scenario`: what its script asserts),
"runs" is how many runs the hunt took (at most, where only the seed is known). A hunt may leave out
runs of the swarm that cannot show its bug. `pnyx lab zoo hunt NAME` hunts one; `--all` keeps to
short runs of the swarm, and may take more or fewer. "Smallest" is what `pnyx lab zoo measure` left
of the swarm's run at the pinned seed within a few seconds: faults + requests.

"""


def pinned_source(pins: Mapping[str, Pin]) -> str:
    """Return the text of zoo/pinned.py for `pins`, by the mutants' names."""
    lines = [
        f'    "{mutant.name}": Pin({pin.seed}, "{pin.invariant}", {pin.runs}),\n'
        for mutant in MUTANTS
        if (pin := pins.get(mutant.name)) is not None
    ]
    return _PINNED_BEGINS + "".join(lines) + "}\n"


def sizes_source(sizes: Mapping[str, Size]) -> str:
    """Return the text of zoo/sizes.py for `sizes`, by the mutants' names."""
    lines = [
        f'    "{mutant.name}": Size({size.seed}, {size.faults}, {size.requests}),\n'
        for mutant in MUTANTS
        if (size := sizes.get(mutant.name)) is not None
    ]
    return _SIZES_BEGIN + "".join(lines) + "}\n"


def page() -> str:
    """Return docs/reference/zoo.md."""
    parts = [_PAGE_BEGINS, _half_are_smaller()]
    for letter, title in FAMILIES.items():
        rows = [
            (
                f"`{mutant.name}`",
                mutant.story,
                mutant.seen,
                _caught(mutant.name),
                _runs(mutant.name),
                _smallest(mutant.name),
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
    head = (
        "| mutant | what is wrong | seen in | caught by | runs | smallest |\n"
        "|---|---|---|---|---|---|\n"
    )
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _caught(name: str) -> str:
    pin = PINNED.get(name)
    return "not yet" if pin is None else f"`{pin.invariant}`"


def _runs(name: str) -> str:
    pin = PINNED.get(name)
    return "" if pin is None else str(pin.runs)


def _smallest(name: str) -> str:
    size = SIZES.get(name)
    return "" if size is None else f"{size.faults} + {size.requests}"


def _half_are_smaller() -> str:
    if not SIZES:
        return ""
    faults = median(size.faults for size in SIZES.values())
    requests = median(size.requests for size in SIZES.values())
    return (
        f"Of the {len(SIZES)} that were measured the median is {faults:g} faults and {requests:g} "
        "requests.\n\n"
    )
