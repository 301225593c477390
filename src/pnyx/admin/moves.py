"""Operators' changes from asking to done: what is still to be moved, and what is in its way.

The controller makes a change at once; the shards move after that, by themselves. So whoever asks
may go away and ask again: what was asked before is found, and gone on with.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pnyx.admin import controller
from pnyx.admin.controller import (
    GROUP_MAX,
    Cluster,
    Configuration,
    ControllerRefused,
    ControllerSilent,
    Maps,
    Placed,
    joining,
    leaving,
    moving,
    retiring,
)
from pnyx.admin.health import Asked, ask_members, judge
from pnyx.admin.page import NoAnswer
from pnyx.admin.placing import placements
from pnyx.errors import PnyxError, SettingsWrong

POLL_S: Final = 0.2
WAIT_S: Final = 600.0
"""How long moves are waited for, if nobody says it."""


class MovesPending(PnyxError):
    """The moves did not end in time. They go on by themselves."""

    code = "PX0415"


@dataclass(frozen=True, slots=True)
class Move:
    """One shard that is not where it should be, or whose attempt is not over."""

    shard: int
    source: int
    """Who serves it now."""
    target: int


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for: groups that came, groups that go, a shard; or, with none, every move."""

    coming: tuple[int, ...] = ()
    going: tuple[int, ...] = ()
    shard: int | None = None
    target: int = 0
    """Of the shard."""

    def left(self, maps: Maps) -> list[Move]:
        """Return the moves that are left.

        Raises:
            ControllerRefused: somebody asked for the opposite meanwhile.
        """
        there = {placed.group for placed in maps.configuration.placements}
        number = maps.configuration.number
        for group in self.coming:
            if group not in there:
                raise _overruled(f"{name_of(group)} is to leave again", number)
        for group in self.going:
            if group in there:
                raise _overruled(f"{name_of(group)} has joined again", number)
        if self.shard is not None and maps.configuration.targets[self.shard] != self.target:
            target = name_of(maps.configuration.targets[self.shard])
            raise _overruled(f"shard {self.shard} is to be at {target}", number)
        return [move for move in to_move(maps) if self._counts(move, maps)]

    def _counts(self, move: Move, maps: Maps) -> bool:
        if self.shard is not None:
            return move.shard == self.shard
        if not self.coming and not self.going:
            return True
        ends = {move.source, maps.directory.shards[move.shard].destination}
        return move.target in self.coming or bool(ends.intersection(self.going))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    left: tuple[Move, ...]
    why: str = ""
    """Why that is not known now; `left` is what was known last."""


# Names.


def number_of(name: str | int) -> int:
    """Return a group's number: 4 of g4, "4" or 4.

    Raises:
        SettingsWrong: it is none of these.
    """
    digits = str(name).removeprefix("g")
    is_number = digits.isdecimal() and len(digits) <= len(str(GROUP_MAX))
    if not is_number or not 0 < int(digits) <= GROUP_MAX:
        raise SettingsWrong(
            f"{name!r} is no group; nothing was changed",
            cause="groups are called g1, g2 and so on",
            next_step="`pnyx group list` shows them",
        )
    return int(digits)


def numbers_of(names: Iterable[str]) -> list[int]:
    """Return the numbers of groups that are named together.

    Raises:
        SettingsWrong: one of them is no group, or is named twice.
    """
    numbers = [number_of(name) for name in names]
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    if twice:
        said = " ".join(map(name_of, dict.fromkeys(numbers)))
        raise SettingsWrong(
            f"{name_of(twice[0])} is named twice; nothing was changed",
            cause="each name is one group, so it is not clear how many are meant",
            next_step=f"name each group once: {said}",
        )
    return numbers


def name_of(group: int) -> str:
    """Return what people call a group."""
    return f"g{group}" if group else "nobody"


def counted(count: int, one: str, many: str) -> str:
    """Return a count with what is counted: 1 shard, 2 shards."""
    return f"{count} {one if count == 1 else many}"


def to_move(maps: Maps) -> list[Move]:
    """Return all that is not where it should be, by shard."""
    return [Move(*each) for each in maps.to_move()]


def next_number(maps: Maps) -> int:
    """Return the first number that no group has or had."""
    known = [placed.group for placed in (*maps.configuration.placements, *maps.directory.leaving)]
    return max([0, *known, *maps.directory.departed, *maps.directory.retired]) + 1


def between(maps: Maps, after: Configuration) -> list[Move]:
    """Return what a configuration that was only planned would move."""
    return to_move(Maps(after, maps.directory))


# Changes. Each returns what to wait for.


def wanted_placements(
    maps: Maps,
    wanted: Mapping[int, Sequence[str]],
    nodes: Sequence[str],
    engine: str | None = None,
    down: Sequence[str] = (),
) -> dict[int, tuple[str, ...]]:
    """Return the groups of `wanted` that are still to join, each with its nodes.

    Args:
        maps: as they are.
        wanted: group -> labels; without any, the nodes that have least.
        nodes: the labels of those that can be used.
        engine: what is to keep the logs of groups that are there already, too; None: any.
        down: the labels of voters that do not answer now; see `placements`.

    Raises:
        ControllerRefused: one of them is there with other nodes or another engine, or there are no
            nodes to use.
    """
    fresh: dict[int, Sequence[str]] = {}
    for group, labels in wanted.items():
        there = maps.configuration.placed(group)
        if there is None:
            fresh[group] = labels
        elif labels and set(labels) != set(there.nodes):
            raise ControllerRefused(
                "could not join; nothing was changed",
                cause=f"there is a group {name_of(group)} already, on {' '.join(there.nodes)}",
                next_step="choose another number; `pnyx group list` shows those in use",
            )
        elif engine not in {None, there.engine}:
            raise ControllerRefused(
                "could not join; nothing was changed",
                cause=f"there is a group {name_of(group)} already, and it runs {there.engine}",
                next_step="choose another number: a group keeps its engine for ever",
            )
    open_groups = [group for group, labels in fresh.items() if not labels]
    if open_groups and not nodes:
        raise ControllerRefused(
            "could not join; nothing was changed",
            cause="no node can be reached from those that answer",
            next_step="`pnyx health` shows which nodes are missing",
        )
    said = [Placed.of(group, labels) for group, labels in fresh.items() if labels]
    chosen = placements(open_groups, [*maps.configuration.placements, *said], nodes, down)
    return {group: chosen.get(group) or tuple(labels) for group, labels in fresh.items()}


def join(
    cluster: Cluster,
    wanted: Mapping[int, Sequence[str]],
    *,
    nodes: Sequence[str],
    down: Sequence[str] = (),
    apart: bool = False,
    engine: str | None = None,
) -> Goal:
    """Let groups join that are not there yet; see `wanted_placements`. Errors as `change`, too."""
    fresh = wanted_placements(controller.maps(cluster), wanted, nodes, engine, down)
    if fresh:
        controller.change(cluster, joining(fresh, apart=apart, engine=engine))
    return Goal(coming=tuple(wanted))


def leave(cluster: Cluster, groups: Sequence[int]) -> Goal:
    """Let groups leave that are still there.

    Raises:
        ControllerRefused: it would be the last group, or there is none of that number.
    """
    maps = controller.maps(cluster)
    staying = to_leave(maps, groups)
    if staying:
        controller.change(cluster, leaving(staying))
    return Goal(going=tuple(groups))


def to_leave(maps: Maps, groups: Sequence[int]) -> list[int]:
    """Return which of the groups are still to be told to leave; raises as `leave`."""
    there = [placed.group for placed in maps.configuration.placements]
    going = {placed.group for placed in maps.directory.leaving}
    gone = {*maps.directory.departed, *maps.directory.retired}
    for group in groups:
        if group not in {*there, *going, *gone}:
            raise ControllerRefused(
                "could not leave; nothing was changed",
                cause=f"there is no group {name_of(group)}",
                next_step="`pnyx group list` shows them",
            )
    told = [group for group in dict.fromkeys(groups) if group in there]
    if told and not set(there) - set(told):
        raise ControllerRefused(
            "could not leave; nothing was changed",
            cause=f"{' '.join(map(name_of, told))} would leave no group to serve the keys",
            next_step="let another group join first: `pnyx group add`",
        )
    return told


def retire(cluster: Cluster, groups: Iterable[int]) -> None:
    """Let groups that left never come back, and their replicas be destroyed; errors as `change`."""
    retired = controller.maps(cluster).directory.retired
    for group in groups:
        if group not in retired:
            controller.change(cluster, retiring(group))


def move(cluster: Cluster, shard: int, group: int) -> Goal:
    """Let a shard go to a group; errors as `change`."""
    controller.change(cluster, moving(shard, group))
    return Goal(shard=shard, target=group)


# Waiting.


def follow(cluster: Cluster, goal: Goal, wait_s: float = WAIT_S) -> Iterator[Progress]:
    """Yield how far it is, a few times a second, until nothing is left.

    Raises:
        ControllerRefused: somebody asked for the opposite meanwhile.
        MovesPending: it took longer than `wait_s`.
        ControllerSilent, NoAnswer: so it did, and nobody ever said what is left.
    """
    ends_s = time.monotonic() + wait_s
    left: tuple[Move, ...] = ()
    is_known = False
    while True:
        silence: ControllerSilent | NoAnswer | None = None
        try:
            left = tuple(goal.left(controller.maps(cluster)))
            is_known = True
        except (ControllerSilent, NoAnswer) as error:
            silence = error
        why = "" if silence is None else silence.cause or silence.effect
        yield Progress(left, why)
        if silence is None and not left:
            return
        if time.monotonic() > ends_s:
            raise silence if silence and not is_known else _pending(cluster, left, why)
        time.sleep(POLL_S)


def hindrances(asked: Sequence[Asked], left: Iterable[Move]) -> list[str]:
    """Return why shards cannot move now, a sentence each; empty if nothing is known to hinder."""
    led = dict(judge(asked).leaders)
    reports = [one.report for one in asked if one.report is not None]
    newest = max(reports, key=lambda report: report.configuration, default=None)
    if newest is None:
        return ["no node answers"]
    silent = {one.label for one in asked if one.report is None}
    found = []
    by_group: dict[int, list[Move]] = {}
    for one in left:
        for group in {one.source, one.target} - {0}:
            by_group.setdefault(group, []).append(one)
    for group, held in sorted(by_group.items()):
        known = newest.group(group)
        if group in led or known is None:
            continue
        labels = [member.label for member in newest.members if member.node in known.voters]
        missing = [label for label in labels if label in silent] or labels
        count = counted(len(held), "shard waits", "shards wait")
        found.append(
            f"{name_of(group)} has no leader with a quorum ({count}): {', '.join(missing)}"
        )
    return found


def _overruled(what: str, number: int) -> ControllerRefused:
    return ControllerRefused(
        "what was waited for will not come",
        cause=f"somebody changed it meanwhile: {what} since configuration {number}",
        next_step="`pnyx shards history` shows the changes",
    )


def _pending(cluster: Cluster, left: Sequence[Move], why: str) -> MovesPending:
    reasons = [why] if why else hindrances(ask_members(cluster.pages), left)
    back = ""
    if len(left) == 1:
        one = left[0]
        back = f"; `pnyx shards move {one.shard} {name_of(one.source)}` takes it back"
    return MovesPending(
        "1 shard is not where it should be yet; it goes on by itself"
        if len(left) == 1
        else f"{len(left)} shards are not where they should be yet; they go on by themselves",
        cause="; ".join(reasons),
        next_step=f"`pnyx shards watch` goes on waiting{back}",
    )
