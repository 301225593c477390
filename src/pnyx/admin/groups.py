"""The groups as the nodes that answer know them: so they are known without the controller, too."""

from collections.abc import Sequence
from dataclasses import dataclass

from pnyx.admin.controller import slots_of
from pnyx.admin.health import Asked, Report, judge
from pnyx.admin.moves import name_of


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group of keys."""

    name: str
    """g1 and so on."""
    leader: str | None
    """The label of who leads it; None: nobody with a quorum."""
    nodes: tuple[str, ...]
    """The labels of its voters, sorted."""
    missing: tuple[str, ...]
    """Those of them that do not answer."""
    shards: int
    slots: int
    """How many it serves, if it has a leader."""
    engine: str
    """What keeps its log: raft or multipaxos."""


def groups(asked: Sequence[Asked]) -> list[GroupView]:
    """Return all groups, ascending; empty if no node answers."""
    report = newest(asked)
    if report is None:
        return []
    led = dict(judge(asked).leaders)
    silent = {one.label for one in asked if one.report is None}
    labels = {member.node: member.label for member in report.members}
    count = len(report.owners)
    found = []
    for one in report.groups:
        held = [shard for shard, owner in enumerate(report.owners) if owner == one.group]
        nodes = sorted(labels.get(node) or f"{node:x}" for node in one.voters)
        found.append(
            GroupView(
                name_of(one.group),
                led.get(one.group),
                tuple(nodes),
                tuple(label for label in nodes if label in silent),
                len(held),
                sum(last - first + 1 for first, last in (slots_of(s, count) for s in held)),
                one.engine,
            )
        )
    return found


def newest(asked: Sequence[Asked]) -> Report | None:
    """Return the report of who knows the newest configuration."""
    reports = [one.report for one in asked if one.report is not None]
    return max(reports, key=lambda report: report.configuration, default=None)
