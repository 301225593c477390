"""What all nodes say about themselves, and the one word for it.

Every node is asked, never only the first: a cluster is not healthy while a node does not answer,
whatever the others say.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from pnyx.harness import page
from pnyx.ids import SLOT_COUNT

THREADS_MAX: Final = 16


class Word(Enum):
    """The state of a cluster."""

    HEALTHY = "HEALTHY"
    """Every node is up, every slot is served."""
    DEGRADED = "DEGRADED"
    """A node is down, every slot is served."""
    PARTIAL = "PARTIAL"
    """Some slots are not served."""
    DOWN = "DOWN"
    """No slot is served."""


class ReportedMember(msgspec.Struct, frozen=True):
    """A member as a node lists it at /v1/status."""

    label: str
    node: int
    reachable: bool


class Report(msgspec.Struct, frozen=True):
    """The part of a node's /v1/status that health is made of."""

    label: str
    me: int
    term: int
    quorum: bool
    leader: int | None
    members: tuple[ReportedMember, ...]

    def leads(self) -> bool:
        """Return whether the node believes to lead a majority."""
        return self.quorum and self.leader == self.me

    def reaches(self, node: int) -> bool:
        """Return whether the node is in touch with that member."""
        return any(member.node == node and member.reachable for member in self.members)


@dataclass(frozen=True, slots=True)
class Asked:
    """One node and what came of asking it."""

    label: str
    address: str
    """host:port of its http page."""
    report: Report | None
    error: str = ""
    """Why there is no report."""
    document: bytes = b""
    """The whole answer, for those who want to see all of it."""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the one group that serves all slots."""

    word: Word
    leader: str | None
    up: tuple[str, ...]
    down: tuple[tuple[str, str], ...]
    """Label and reason of each node that the group cannot use."""
    answering: int
    """How many nodes answer at all, of use to the group or not."""
    slots_served: int
    may_lose: int
    """How many more nodes may fail before writes stop."""

    @property
    def exit_code(self) -> int:
        """0 healthy, 3 degraded, 4 no quorum."""
        return {Word.HEALTHY: 0, Word.DEGRADED: 3}.get(self.word, 4)

    def sentence(self) -> str:
        """Return the state in one line, without the next step."""
        words = f"{self.word.value}  {self.slots_served}/{SLOT_COUNT} slots served"
        if self.down:
            words += "; " + ", ".join(f"{label} {reason}" for label, reason in self.down)
        if self.word is Word.DOWN:
            return f"{words}; no leader with a majority"
        plural = "" if self.may_lose == 1 else "s"
        return f"{words}; may lose {self.may_lose} more node{plural}"


def ask_all(pages: Mapping[str, tuple[str, int]]) -> list[Asked]:
    """Return one answer a node, in the order of `pages` (label -> host and http port)."""
    with ThreadPoolExecutor(max_workers=min(THREADS_MAX, max(1, len(pages)))) as pool:
        return list(pool.map(lambda row: _ask(row[0], *row[1]), pages.items()))


def judge(asked: Sequence[Asked]) -> Health:
    """Return the state that the answers amount to."""
    reports = [(one.label, one.report) for one in asked if one.report is not None]
    # An old leader that was cut off may not know it yet: the highest term is what counts.
    leader, ruling = max(
        ((label, report) for label, report in reports if report.leads()),
        key=lambda row: row[1].term,
        default=(None, None),
    )
    up: list[str] = []
    down: list[tuple[str, str]] = []
    for one in asked:
        if one.report is None:
            down.append((one.label, one.error))
        elif ruling is not None and one.label != leader and not ruling.reaches(one.report.me):
            down.append((one.label, f"is cut off from the leader {leader}"))
        else:
            up.append(one.label)
    if ruling is None:
        return Health(Word.DOWN, None, tuple(up), tuple(down), len(reports), 0, 0)
    return Health(
        word=Word.DEGRADED if down else Word.HEALTHY,
        leader=leader,
        up=tuple(up),
        down=tuple(down),
        answering=len(reports),
        slots_served=SLOT_COUNT,
        may_lose=max(0, len(up) - (len(asked) // 2 + 1)),
    )


def _ask(label: str, host: str, port: int) -> Asked:
    address = f"{host}:{port}"
    try:
        document = page.ask(host, port, "/v1/status")
        return Asked(label, address, msgspec.json.decode(document, type=Report), "", document)
    except page.NoAnswer as error:
        return Asked(label, address, None, f"{error.cause or error.effect}")
    except msgspec.DecodeError as error:
        return Asked(label, address, None, f"answers something else than a status ({error})")
