"""What all nodes say about themselves, and the one word for it.

Every node is asked, never only the first: a cluster is not healthy while a node does not answer,
whatever the others say.
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

import msgspec

from pnyx.admin import page
from pnyx.ids import SLOT_COUNT
from pnyx.machine.shards import first_slot

THREADS_MAX: Final = 16
SHOWN_MAX: Final = 4
"""Runs of slots that are refused, and voters that are missed, in one line."""
WIDTH_SAFE: Final = 3
"""Voters of which one may be lost."""
CONTROLLER: Final = 0
"""The group that says where the others are."""


class Word(Enum):
    """The state of a cluster."""

    HEALTHY = "HEALTHY"
    """Every node is up, every slot is served."""
    DEGRADED = "DEGRADED"
    """A node is down or short of disk space, every slot is served."""
    PARTIAL = "PARTIAL"
    """Some slots are not served."""
    DOWN = "DOWN"
    """No slot is served."""


class ReportedMember(msgspec.Struct, frozen=True):
    """A member as a node lists it at /v1/status."""

    label: str
    node: int
    reachable: bool
    voter: bool = True
    host: str = ""
    http_port: int = 0
    match: int | None = None


class ReportedGroup(msgspec.Struct, frozen=True):
    """A group as a node knows it, the controller included."""

    group: int
    leader: int | None
    term: int
    quorum: bool
    voters: tuple[int, ...]
    shards: int = 0
    """How many shards it serves, as applied at the node that reports; at its leader with those that
    are frozen so shortly that clients only wait."""
    engine: str = ""
    """What keeps its log; empty: not known."""
    outgoing: tuple[int, ...] = ()
    """The voters that a change under way leaves behind: a majority of them is needed too."""


class Report(msgspec.Struct, frozen=True):
    """The part of a node's /v1/status that health is made of."""

    label: str
    me: int
    term: int
    quorum: bool
    leader: int | None
    """Of the first group of keys."""
    members: tuple[ReportedMember, ...]
    controller: ReportedGroup | None = None
    groups: tuple[ReportedGroup, ...] = ()
    owners: tuple[int, ...] = ()
    """By shard, the group that serves it; 0: nobody does."""
    configuration: int = 0
    low_space: bool = False

    def leads(self) -> bool:
        """Return whether the node believes to lead a majority of the first group."""
        return self.quorum and self.leader == self.me

    def group(self, number: int) -> ReportedGroup | None:
        """Return what the node knows of a group; 0 is the controller."""
        known = (self.controller, *self.groups)
        return next((one for one in known if one is not None and one.group == number), None)

    def led(self) -> list[ReportedGroup]:
        """Return the groups, the controller included, that the node believes to lead."""
        known = (self.controller, *self.groups)
        return [one for one in known if one is not None and one.quorum and one.leader == self.me]

    def member(self, node: int) -> ReportedMember | None:
        """Return the member with this id, as the node sees it."""
        return next((member for member in self.members if member.node == node), None)

    def holder(self, label: str) -> ReportedMember | None:
        """Return the member of that label; of two, the voter: the other one is to replace it."""
        found = [member for member in self.members if member.label == label]
        return max(found, key=lambda member: member.voter, default=None)


# Made once, before any thread: msgspec crashes if two threads look into a type first at one time.
_decode: Final = msgspec.json.Decoder(Report).decode


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


class Refusing(NamedTuple):
    """A run of slots that refuse reads and writes, and whose they are; 0: nobody's."""

    group: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a cluster."""

    word: Word
    leader: str | None
    """Of the first group of keys."""
    up: tuple[str, ...]
    down: tuple[tuple[str, str], ...]
    """Label and reason of each node that the cluster cannot use."""
    learners: tuple[str, ...]
    """Those of `up` that only receive and are never counted."""
    answering: int
    """How many nodes answer at all, of use to the cluster or not."""
    slots_served: int
    may_lose: int
    """How many more nodes with room for writes may fail before some group's writes stop."""
    leaders: tuple[tuple[int, str], ...] = ()
    """(group, label) of each group that is led now, the controller, 0, first."""
    refusing: tuple[Refusing, ...] = ()
    """The slots of groups that are not led, in order."""
    lacking: tuple[tuple[int, str], ...] = ()
    """(group, label) of each voter, not `down`, that its group's leader does not reach."""
    low: tuple[str, ...] = ()
    """Those of `up` whose disks have too little room for writes."""
    full: tuple[int, ...] = ()
    """Groups that refuse writes for that."""
    thin: tuple[tuple[int, int], ...] = ()
    """(group, voters) of each that is whole and too narrow to lose a node, though the cluster has
    nodes enough."""

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
            short = f"; {', '.join(self.low)} short of disk space" if self.low else ""
            return f"{words}; no leader with a majority{short}"
        if self.refusing:
            shown = [f"{run.first}-{run.last} (g{run.group})" for run in self.refusing[:SHOWN_MAX]]
            more = len(self.refusing) - len(shown)
            words += f"; slots {', '.join(shown)}{f' and {more} more runs' if more else ''}"
            words += " refuse reads and writes: no quorum"
        for group, label in self.lacking[:SHOWN_MAX]:
            words += f"; {_called(group)} lacks {label}"
        if self.low:
            words += f"; {', '.join(self.low)} short of disk space"
        if self.full:
            words += f", so {', '.join(map(_called, self.full[:SHOWN_MAX]))}"
            more = len(self.full) - SHOWN_MAX
            words += f" and {more} more" if more > 0 else ""
            words += " refuse writes" if len(self.full) > 1 else " refuses writes"
        for group, voters in self.thin[:SHOWN_MAX]:
            words += f"; {_called(group)} is on {voters} node{'s' if voters > 1 else ''} only"
        if CONTROLLER not in dict(self.leaders):
            words += "; the controller has no leader, so nothing can be moved"
        plural = "" if self.may_lose == 1 else "s"
        return f"{words}; may lose {self.may_lose} more node{plural}"


def ask_all(pages: Mapping[str, tuple[str, int]]) -> list[Asked]:
    """Return one answer a node, in the order of `pages` (label -> host and http port)."""
    with ThreadPoolExecutor(max_workers=min(THREADS_MAX, max(1, len(pages)))) as pool:
        return list(pool.map(lambda row: _ask(row[0], *row[1]), pages.items()))


def ask_members(pages: Mapping[str, tuple[str, int]]) -> list[Asked]:
    """Ask `pages`, and then whoever else is a member; who is none and silent is left out."""
    asked = ask_all(pages)
    reports = [one.report for one in asked if one.report is not None]
    # The leader may be one that was not asked: its followers name it.
    best = max(reports, key=lambda report: (report.quorum, report.term), default=None)
    if best is None:
        return asked
    known = {one.report.label if one.report is not None else one.label for one in asked}
    others = {
        member.label: (member.host, member.http_port)
        for member in best.members
        if member.label and member.host and member.label not in known
    }
    asked += ask_all(others) if others else []
    leader = ruling(asked)
    if leader is None:
        return asked
    members = {member.label for member in leader.members}
    return [one for one in asked if one.report is not None or one.label in members]


def ruling(asked: Sequence[Asked]) -> Report | None:
    """Return what the leader says; None if nobody leads a majority."""
    # An old leader that was cut off may not know it yet: the highest term is what counts.
    silent = _silent(asked)
    reports = [
        one.report
        for one in asked
        if one.report is not None
        and one.report.leads()
        and all(_may_decide(one.report, first, silent) for first in one.report.groups[:1])
    ]
    return max(reports, key=lambda report: report.term, default=None)


def judge(asked: Sequence[Asked]) -> Health:
    """Return the state that the answers amount to."""
    answering = sum(one.report is not None for one in asked)
    leader = ruling(asked)
    up: list[str] = []
    down: list[tuple[str, str]] = []
    learners: list[str] = []
    for one in asked:
        reason = _reason(one, leader)
        if reason:
            down.append((one.label, reason))
            continue
        up.append(one.label)
        member = leader.member(one.report.me) if leader and one.report else None
        if member is not None and not member.voter:
            learners.append(one.label)
    if leader is not None:
        asked_labels = {one.report.label if one.report else one.label for one in asked}
        down += [
            (_label(leader, member.node), "is known to the others, its address is not")
            for member in leader.members
            if member.label not in asked_labels
        ]
    led = _led(asked)
    slots = _slots_served(asked, led)
    answer = {one.report.me for one in asked if one.report is not None}
    reached = {number: _reached(*each, answer) for number, each in led.items()}
    # Who came back as another node gets its place in one group after the other.
    lacking = [
        (number, _label(report, voter))
        for number, (report, group) in sorted(led.items())
        for voter in sorted({*group.voters, *group.outgoing} - reached[number])
    ]
    reports = [one.report for one in asked if one.report is not None]
    short = {report.me: report.label for report in reports if report.low_space}
    low = [label for label in short.values() if label in up]
    # The log of a full disk stands still: it helps no majority to write.
    spare = [_spare(group, reached[number] - short.keys()) for number, (_, group) in led.items()]
    return Health(
        word=_word(slots, is_whole=not (down or lacking or low) and CONTROLLER in led),
        leader=None if leader is None else leader.label,
        up=tuple(up),
        down=tuple(down),
        learners=tuple(learners),
        answering=answering,
        slots_served=slots,
        may_lose=min(spare, default=0),
        leaders=tuple((group, report.label) for group, (report, _) in sorted(led.items())),
        refusing=_refusing(asked, led),
        lacking=tuple([each for each in lacking if each[1] not in dict(down)]),
        low=tuple(low),
        full=tuple([number for number, each in sorted(led.items()) if _is_full(*each, low)]),
        thin=_thin(led, reached),
    )


_Led: TypeAlias = tuple[Report, ReportedGroup]


def _led(asked: Sequence[Asked]) -> dict[int, _Led]:
    """Return by group who leads it, and what that node says of it."""
    found: dict[int, _Led] = {}
    silent = _silent(asked)
    for report in (one.report for one in asked if one.report is not None):
        for group in report.led():
            if not _may_decide(report, group, silent):
                continue
            # An old leader that was cut off may not know it yet: the highest term is what counts.
            if group.group not in found or found[group.group][1].term < group.term:
                found[group.group] = (report, group)
    return found


def _silent(asked: Sequence[Asked]) -> set[str]:
    return {one.label for one in asked if one.report is None}


def _may_decide(report: Report, group: ReportedGroup, silent: Collection[str]) -> bool:
    """Return whether enough voters are left to whom leads a group, as far as anybody knows.

    A leader notices that a majority is gone only after an election timeout.
    """
    lost = {
        member.node
        for member in report.members
        if member.node != report.me and (not member.reachable or member.label in silent)
    }
    return all(
        2 * len(set(voters) - lost) > len(voters)
        for voters in (group.voters, group.outgoing or group.voters)
    )


def _is_full(report: Report, group: ReportedGroup, low: Collection[str]) -> bool:
    """Return whether a group refuses writes: its leader is low, or no quorum has room."""
    short = sum(_label(report, voter) in low for voter in group.voters)
    return report.label in low or short > (len(group.voters) - 1) // 2


def _thin(
    led: Mapping[int, _Led], reached: Mapping[int, Collection[int]]
) -> tuple[tuple[int, int], ...]:
    """Return each group that is whole and may lose nobody, in a cluster of three nodes or more."""
    return tuple(
        [
            (number, len(group.voters))
            for number, (report, group) in sorted(led.items())
            if not group.outgoing
            and len(group.voters) < WIDTH_SAFE <= sum(member.voter for member in report.members)
            and not set(group.voters).difference(reached[number])
        ]
    )


def _slots_served(asked: Sequence[Asked], led: Mapping[int, _Led]) -> int:
    """Return how many slots have a group that serves them and is led."""
    sizes = [size for group, size in _sizes(_owners(asked)) if group in led]
    return max(0, sum(sizes) - sum(_lacking(*each) for each in led.values()))


def _lacking(report: Report, group: ReportedGroup) -> int:
    """Return how many slots a group should serve and does not, as its leader sees it.

    Both numbers are of one node and one moment: while shards move, one node's map and another's
    count would often not fit.
    """
    held = [size for owner, size in _sizes(report.owners) if owner == group.group]
    # Which ones it does not serve, it does not say: how many is enough for a sum.
    return sum(held[group.shards :])


def _sizes(owners: Sequence[int]) -> list[tuple[int, int]]:
    """Return the owner of each shard, and how many slots that is."""
    count = len(owners)
    return [
        (owner, first_slot(shard + 1, count) - first_slot(shard, count))
        for shard, owner in enumerate(owners)
    ]


def _refusing(asked: Sequence[Asked], led: Mapping[int, _Led]) -> tuple[Refusing, ...]:
    """Return the runs of slots whose group is not led."""
    owners = _owners(asked)
    found: list[Refusing] = []
    for shard, group in enumerate(owners):
        first, end = first_slot(shard, len(owners)), first_slot(shard + 1, len(owners))
        if group in led:
            continue
        if found and (found[-1].group, found[-1].last + 1) == (group, first):
            found[-1] = Refusing(group, found[-1].first, end - 1)
        else:
            found.append(Refusing(group, first, end - 1))
    return tuple(found)


def _owners(asked: Sequence[Asked]) -> tuple[int, ...]:
    reports = [one.report for one in asked if one.report is not None]
    newest = max(reports, key=lambda report: report.configuration, default=None)
    return () if newest is None else newest.owners


def _reached(report: Report, group: ReportedGroup, answer: Collection[int]) -> set[int]:
    """Return the voters that a group's leader reaches, of those that answer."""
    # A paused node keeps its links for a while, and is of no use.
    linked = {member.node for member in report.members if member.reachable}
    return linked.intersection((*group.voters, *group.outgoing), answer)


def _label(report: Report, node: int) -> str:
    member = report.member(node)
    return (member and member.label) or f"{node:x}"


def _called(group: int) -> str:
    return "the controller" if group == CONTROLLER else f"g{group}"


def _spare(group: ReportedGroup, reached: set[int]) -> int:
    """Return how many more nodes a group may lose while its leader reaches `reached`."""
    return min(
        max(0, len(reached.intersection(voters)) - (len(voters) // 2 + 1))
        for voters in (group.voters, group.outgoing or group.voters)
    )


def _word(slots: int, *, is_whole: bool) -> Word:
    if slots < SLOT_COUNT:
        return Word.PARTIAL if slots else Word.DOWN
    return Word.HEALTHY if is_whole else Word.DEGRADED


def _reason(one: Asked, leader: Report | None) -> str:
    """Return why the group cannot use a node; empty if it can."""
    if one.report is None:
        return one.error
    if leader is None or one.report is leader:
        return ""
    member = leader.member(one.report.me)
    holder = leader.holder(one.report.label)
    if holder is not None and holder.node != one.report.me:
        return f"came back as another node and waits to replace {holder.node:x}"
    if member is None:
        return "is no member"
    return "" if member.reachable else f"is cut off from the leader {leader.label}"


def _ask(label: str, host: str, port: int) -> Asked:
    address = f"{host}:{port}"
    try:
        document = page.ask(host, port, "/v1/status")
        return Asked(label, address, _decode(document), "", document)
    except page.NoAnswer as error:
        return Asked(label, address, None, f"{error.cause or error.effect}")
    except msgspec.DecodeError as error:
        return Asked(label, address, None, f"answers something else than a status ({error})")
