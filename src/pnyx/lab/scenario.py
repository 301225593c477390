"""Scenarios: small scripts over a cluster, one file each, that run in the world and elsewhere.

A script is a generator over a `Stage`. It acts at once (`stage.crash(2)`) and yields whatever takes
time: `Sleep` and `Until`. Who drives it decides what time is: `WorldStage` simulates it, the
harness lets it pass. So the same file runs over a thousand seeds, on real processes, and step by
step.

    @scenario("R-B3", nodes=3, about="a follower away does not stop agreement, two do")
    def follower_failure(stage: Stage) -> Script:
        yield from agree(stage, 1, expected=3)
        ...

What a scenario asserts it says with `stage.check(fact, sentence)`; what it may use up, with
`stage.budget(name, used, allowed)`.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final, Protocol, TypeAlias

from pnyx.consensus.engines import EngineName
from pnyx.consensus.member.settings import MemberSettings
from pnyx.errors import Unlisted
from pnyx.lab.layout import Layout
from pnyx.lab.network import RELIABLE, Profile
from pnyx.machine.commands import AnyCommand
from pnyx.machine.machine import Machine
from pnyx.machine.transactions import KEYS
from pnyx.replica.limits import MigrationLimits, ReplicaLimits
from pnyx.replica.requests import Answer

NEAR_COUNT_MAX: Final = 5
NEAR_RATIO: Final = 0.5
"""An id that nobody knows is answered with so many that are at least so much like it (0 to 1)."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let so much time pass."""

    us: int


@dataclass(frozen=True, slots=True)
class Until:
    """Let time pass until `reached`; the yield returns False if it did not within `within_us`."""

    reached: Callable[[], bool]
    within_us: int
    every_us: int = 1_000
    """How often a simulated script looks again: each look is an event."""


Step: TypeAlias = Sleep | Until
Script: TypeAlias = Generator[Step, Any, None]


@dataclass(slots=True, eq=False)
class Call:
    """A client's request on a stage."""

    node: int
    commands: tuple[AnyCommand, ...]
    answer: Answer | None = None
    """None while it is open."""
    answered_us: int = 0
    """When the answer came."""
    lost: bool = False
    """The node died under it: the outcome is unknown."""

    @property
    def over(self) -> bool:
        """Does nobody wait any more?"""
        return self.answer is not None or self.lost


class Failed(Exception):
    """What a scenario asserts does not hold."""


class Stage(Protocol):
    """A cluster that a script can act on. Nodes are numbers from 1; times are microseconds."""

    nodes: int
    seed: int

    @property
    def now_us(self) -> int: ...

    @property
    def election_us(self) -> int:
        """The longest election timeout: what the original tests call E, about."""
        ...

    def below(self, bound: int, stream: str) -> int:
        """Draw ``0 <= n < bound``: the n-th draw of a stream is the same in each run of a seed."""
        ...

    # What is seen.

    def leaders(self) -> list[int]:
        """Return who runs and believes to lead."""
        ...

    def leader(self) -> int | None:
        """Return who leads in the highest term."""
        ...

    def term(self, node: int) -> int: ...

    def running(self, node: int) -> bool: ...

    # What is done, at once.

    def isolate(self, node: int) -> None: ...

    def rejoin(self, node: int) -> None: ...

    def cut(self, source: int, target: int) -> None: ...

    def mend(self, source: int, target: int) -> None: ...

    def partition(self, *sides: tuple[int, ...]) -> None: ...

    def heal(self) -> None: ...

    def crash(self, node: int) -> None: ...

    def restart(self, node: int) -> None: ...

    def pause(self, node: int) -> None: ...

    def resume(self, node: int) -> None: ...

    def reliable(self, *, reliable: bool) -> None:
        """Let links behave, or as the scenario's unreliable profile says."""
        ...

    def call(self, node: int, *commands: AnyCommand) -> Call:
        """Send a client's request to `node`."""
        ...

    def spawn(self, script: Script) -> None:
        """Let another script run beside this one; the scenario ends when all have ended."""
        ...

    # What is judged.

    def check(self, fact: bool, sentence: str) -> None:  # noqa: FBT001 - an assertion's shape
        """Fail the scenario with `sentence` unless `fact`."""
        ...

    def budget(self, name: str, used: float, allowed: float, least: float = 0) -> None:
        """Fail unless ``least <= used <= allowed``; either way the report shows both."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """What a scenario used of something."""

    name: str
    used: float
    allowed: float

    def __str__(self) -> str:
        """Return it as `used 38 of 42 RPCs`."""
        return f"used {self.used:g} of {self.allowed:g} {self.name}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file of scenarios/."""

    id: str
    about: str
    """One sentence: what must hold."""
    source: str
    """Where it comes from."""
    nodes: int
    script: Callable[..., Script]
    profile: Profile = RELIABLE
    """How links behave when the script says `reliable(reliable=False)`, or from the start."""
    unreliable: bool = False
    """Do links behave like `profile` as soon as the cluster has formed?"""
    compact_bytes: int = 0
    """Compact the log above so many bytes, keeping no tail (`maxRaftState`); 0: the default."""
    consensus: EngineName = EngineName.RAFT
    raft: MemberSettings = field(default_factory=MemberSettings)
    limits: ReplicaLimits = field(default_factory=ReplicaLimits)
    machine: Machine = KEYS
    """What the group runs."""
    layout: Layout | None = None
    """Where the controller and many groups live, instead of one group on all nodes."""
    migration: MigrationLimits = field(default_factory=MigrationLimits)
    """How shards move between those."""
    limit_us: int = 120_000_000
    """Simulated time after which the script has failed."""
    real: bool = False
    """Does it also run on real processes?"""
    prepare: Callable[..., None] | None = None
    """Called with the stage before the first process starts: to write onto its disks."""
    lesson: Any = None
    """The protocol that its hosts run (lessons/stage.py); None: replicas of a group."""
    drawn: Callable[[int], dict[str, Any]] | None = None
    """By seed, what of all this is something else in a run of that seed; but for the shards."""
    options: dict[str, Any] = field(default_factory=dict)
    """Parameters of the script, for files that share one."""

    def of(self, seed: int) -> "Scenario":
        """Return the scenario as it is played at `seed`."""
        return self if self.drawn is None else replace(self, **self.drawn(seed), drawn=None)


_SCENARIOS: Final[dict[str, Scenario]] = {}


def add(scenario: Scenario) -> Scenario:
    """Make `scenario` known under its id, and return it."""
    assert scenario.id not in _SCENARIOS, f"{scenario.id} has two files"
    _SCENARIOS[scenario.id] = scenario
    return scenario


def scenario(
    identifier: str, *, about: str, source: str, nodes: int, **more: Any
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make the decorated script a scenario."""

    def decorate(script: Callable[..., Script]) -> Scenario:
        return add(Scenario(identifier, about, source, nodes, script, **more))

    return decorate


def known() -> list[Scenario]:
    """Return all scenarios that were loaded, by id in natural order."""
    return sorted(_SCENARIOS.values(), key=lambda each: _natural(each.id))


def named(identifier: str) -> Scenario:
    """Return one scenario.

    Raises:
        Unlisted: there is none of that id.
    """
    found = _SCENARIOS.get(identifier.upper())
    if found is None:
        near = get_close_matches(identifier.upper(), _SCENARIOS, NEAR_COUNT_MAX, NEAR_RATIO)
        like = f"most like it are {', '.join(near)}" if near else "none is like it"
        raise Unlisted(
            f"there is no scenario {identifier}",
            cause=f"of {len(_SCENARIOS)} ids {like}",
            next_step="list them with `pnyx lab scenarios`",
        )
    return found


def _natural(identifier: str) -> tuple[str, int, str]:
    head = identifier.rstrip("0123456789")
    digits = identifier[len(head) :]
    return head, int(digits or 0), identifier
