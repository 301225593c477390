"""Changes of members of a running cluster, asked of its leader, whichever node that is."""

import time
from collections.abc import Mapping
from typing import Final

import msgspec

from pnyx.errors import PnyxError
from pnyx.harness import page
from pnyx.harness.health import ask_all

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

    def __init__(self, effect: str, *, reason: str) -> None:
        cause, next_step = _WHY.get(reason, (reason, "`pnyx node list` shows the members"))
        super().__init__(effect, cause=cause, next_step=next_step)
        self.reason = reason


class ChangeUnknown(PnyxError):
    """Nobody said what became of a change of members; asking for it again does no harm."""

    code = "PX0412"


class _Told(msgspec.Struct, frozen=True):
    outcome: str
    reason: str = ""
    leader: str = ""
    host: str = ""
    port: int = 0


def change(
    pages: Mapping[str, tuple[str, int]], verb: str, label: str, *, password: str | None = None
) -> None:
    """Have the leader `add` or `remove` the label, or hand over (`lead`); returns when it is done.

    `lead` returns when the handing over has started.

    Raises:
        ChangeRefused: nothing was done (of `not_caught_up`: the node is a learner).
        ChangeUnknown: it may have been done; ask again.
        NoAnswer: no node answers, or the password is wrong.
    """
    what = f"{verb} {label}".strip()
    deadline = time.monotonic() + LEADER_S_MAX
    place = _leader(pages)
    while True:
        if place is not None:
            told = _ask(place, verb, label, password)
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
            place = _leader(pages)


def _ask(place: tuple[str, int], verb: str, label: str, password: str | None) -> _Told:
    body = msgspec.json.encode({verb: label})
    answer = page.ask(*place, "/v1/members", body=body, timeout_s=CHANGE_S_MAX, password=password)
    return msgspec.json.decode(answer, type=_Told)


def _leader(pages: Mapping[str, tuple[str, int]]) -> tuple[str, int] | None:
    """Return the page of the node that leads, as far as anybody knows."""
    reports = [(pages[one.label], one.report) for one in ask_all(pages) if one.report is not None]
    for place, report in sorted(reports, key=lambda row: -row[1].term):
        if report.leads():
            return place
        leader = None if report.leader is None else report.member(report.leader)
        if report.quorum and leader is not None and leader.host:
            return leader.host, leader.http_port
    return None
