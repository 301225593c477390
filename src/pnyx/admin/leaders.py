"""Who leads: handed to a node, or away from one that is to be switched off."""

import time
from typing import Final

from pnyx.admin.controller import Cluster
from pnyx.admin.health import ask_members, judge
from pnyx.admin.members import ChangeUnknown, change

POLL_S: Final = 0.2
TRANSFER_S_MAX: Final = 10.0


def hand_over(cluster: Cluster, label: str, group: int) -> str:
    """Have a group led by `label`, or, if that is empty, by another; return who leads then.

    Raises:
        ChangeRefused: there is nobody of that name, or nobody else.
        ChangeUnknown: it did not happen in time, and may yet.
    """
    before = dict(judge(ask_members(cluster.pages)).leaders).get(group)
    change(cluster.pages, "lead", label, group=group, password=cluster.password)
    deadline = time.monotonic() + TRANSFER_S_MAX
    while time.monotonic() < deadline:
        leader = dict(judge(ask_members(cluster.pages)).leaders).get(group)
        if leader is not None and (leader == label or (not label and leader != before)):
            return leader
        time.sleep(POLL_S)
    raise ChangeUnknown(
        f"leadership did not move from {before} within {TRANSFER_S_MAX:g} s",
        cause="the node that was to lead is too far behind, or cannot be reached",
        next_step="`pnyx node list` shows how far each node is; ask again",
    )


def drain(cluster: Cluster, label: str) -> None:
    """Hand over what a node leads, then remove it for ever: its process stops by itself.

    Raises:
        ChangeRefused, ChangeUnknown: as of `hand_over` and of removing a node.
    """
    for group, leader in judge(ask_members(cluster.pages)).leaders:
        if leader == label:
            hand_over(cluster, "", group)
    change(cluster.pages, "remove", label, password=cluster.password)
