"""Changes of members of a running cluster, asked of each group's leader, whichever node that is."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pnyx.admin import page
from pnyx.admin.health import CONTROLLER, Asked, ask_all
from pnyx.errors import PnyxError

CHANGE_S_MAX: Final = 90.0
"""A node that is added may take a minute to catch up."""
LEADER_S_MAX: Final = 10.0
"""How long a leader is looked for."""
POLL_S: Final = 0.1

_WHY: Final[Mapping[str, tuple[str, str]]] = {
    "changing": ("another change is under way", "ask again after it"),
    "not_caught_up": (
        "it is too slow, or silent; it is a learner now, which receives and is not counted",
        "look at its log; ask again when it is well, or remove it",
    ),
    "no_group": ("there is no such group", "`pnyx group list` shows those there are"),
    "not_member": ("it is no member", "`pnyx node list` shows the members"),
    "taken": (
        "that label or node is a member under another name",
        "`pnyx node list` shows the members; remove the old one first",
    ),
    "last_voter": ("nobody would be left to decide anything", "add another node first"),
    "retired": (
        "it was removed or replaced once, and its id never comes back",
        "move its data directory away and start it again: then it is a new node",
    ),
    "not_linked": (
        "no node of that name has a link to the leader",
        "start it: `pnyx server --config LABEL.toml`; then ask again",
    ),
    "below_quorum": (
        "without it, those that can be reached are no majority",
        "start the nodes that are down, or remove those that are gone for good first",
    ),
    "no_successor": ("there is no other voter that could lead", "add another node first"),
    "no_quorum": ("no leader with a quorum was found", "`pnyx health` shows what is missing"),
    "overloaded": ("too much is waiting to be committed", "ask again"),
    "stopping": ("the leader is stopping", "ask again"),
}


class ChangeRefused(PnyxError):
    """A change of members was not done."""

    code = "PX0411"

    def __init__(self, effect: str, *, reason: str, cause: str = "") -> None:
        why, next_step = _WHY.get(reason, (reason, "`pnyx node list` shows the members"))
        super().__init__(effect, cause=cause or why, next_step=next_step)
        self.reason = reason
        self.lacks_quorum = reason == "no_quorum"


class ChangeUnknown(PnyxError):
    """Nobody said what became of a change; asking for it again does no harm."""

    code = "PX0412"


class _Told(msgspec.Struct, frozen=True):
    outcome: str
    reason: str = ""
    leader: str = ""
    host: str = ""
    port: int = 0


# Made once, before any thread; see health.py.
_decode: Final = msgspec.json.Decoder(_Told).decode


def change(
    pages: Mapping[str, tuple[str, int]],
    verb: str,
    label: str,
    *,
    group: int | None = None,
    password: str | None = None,
) -> None:
    """Have the leader `add` or `remove` the label, or hand over (`lead`); returns when it is done.

    Without a `group` it is done in every group, the controller included: who comes is first let in
    there, and who goes is last let go there, for that ends its process. `lead` returns when the
    handing over has started.

    Raises:
        ChangeRefused: nothing was done in that group (of `not_caught_up`: the node is a learner).
        ChangeUnknown: it may have been done; ask again.
        NoAnswer: no node answers, or the password is wrong.
    """
    if group is not None:
        _require(pages, group, _what(group, verb, label))
        _change_in(pages, group, verb, label, password)
        return
    known = groups_of(ask_all(pages))
    for one in known if verb == "remove" else reversed(known):
        try:
            _change_in(pages, one, verb, label, password)
        except ChangeRefused as error:
            # Not every node has a part in every group; all have one in the controller.
            if one == CONTROLLER or verb != "remove" or error.reason != "not_member":
                raise


def groups_of(asked: Sequence[Asked]) -> list[int]:
    """Return all groups that the newest of the answers knows, the controller last."""
    reports = [one.report for one in asked if one.report is not None]
    newest = max(reports, key=lambda report: report.configuration, default=None)
    groups = () if newest is None else newest.groups
    return [*sorted(each.group for each in groups), CONTROLLER]


def _require(pages: Mapping[str, tuple[str, int]], group: int, what: str) -> None:
    """Refuse a group that no node that answers knows; if none answers, that is not known."""
    reports = [one.report for one in ask_all(pages) if one.report is not None]
    known = sorted({each.group for report in reports for each in report.groups} - {CONTROLLER})
    if reports and group not in {*known, CONTROLLER}:
        there = f"there are {' '.join(f'g{each}' for each in known)}" if known else "there is none"
        cause = f"there is no group g{group}; {there}"
        raise ChangeRefused(
            f"could not {what}; nothing was changed", reason="no_group", cause=cause
        )


def _what(group: int, verb: str, label: str) -> str:
    return f"{verb} {label}".strip() + (f" in group g{group}" if group != CONTROLLER else "")


def _change_in(
    pages: Mapping[str, tuple[str, int]], group: int, verb: str, label: str, password: str | None
) -> None:
    what = _what(group, verb, label)
    deadline = time.monotonic() + LEADER_S_MAX
    place = _leader(pages, group)
    while True:
        if place is not None:
            told = _ask(place, verb, label, group, password)
            match told.outcome:
                case "done":
                    return
                case "elsewhere":
                    place = (told.host, told.port) if told.host else None
                case "not_done" if told.reason != "no_quorum":
                    raise ChangeRefused(
                        f"could not {what}; nothing was changed", reason=told.reason
                    )
                case "not_done":
                    place = None
                case _:
                    raise ChangeUnknown(
                        f"it is not known whether {what} was done",
                        cause="the leader changed, or no majority answered in time",
                        next_step="ask again: what is done already does no harm",
                    )
        if time.monotonic() > deadline:
            raise ChangeRefused(f"could not {what}; nothing was changed", reason="no_quorum")
        if place is None:
            time.sleep(POLL_S)
            place = _leader(pages, group)


def _ask(place: tuple[str, int], verb: str, label: str, group: int, password: str | None) -> _Told:
    body = msgspec.json.encode({verb: label, "group": group})
    answer = page.ask(*place, "/v1/members", body=body, timeout_s=CHANGE_S_MAX, password=password)
    return _decode(answer)


def _leader(pages: Mapping[str, tuple[str, int]], group: int) -> tuple[str, int] | None:
    """Return the page of the node that leads the group, as far as anybody knows."""
    best: tuple[int, tuple[str, int]] | None = None
    for one in ask_all(pages):
        report = one.report
        known = None if report is None else report.group(group)
        if report is None or known is None or not known.quorum or known.leader is None:
            continue
        leader = report.member(known.leader)
        place = pages[one.label] if known.leader == report.me else None
        if place is None and leader is not None and leader.host:
            place = (leader.host, leader.http_port)
        if place is not None and (best is None or known.term > best[0]):
            best = (known.term, place)
    return None if best is None else best[1]
