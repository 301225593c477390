"""node list and node show, group members: what the leader knows of the members."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pnyx.admin.health import Asked, ask_members, judge, ruling
from pnyx.cli.options import Config, Http
from pnyx.cli.output import Form, say_absent, show as show_rows
from pnyx.cli.places import pages
from pnyx.cli.statuses import NO_QUORUM, NOT_FOUND, OK

COLUMNS: Final = ("node", "role", "state", "id", "host", "peer", "http", "match", "behind")


def list_(*, config: Config = None, http: Http = None, output: Form = "table") -> int:
    """List every member: its role, where it is, and how far its log is behind the leader's.

    Args:
        output: table, json, jsonl or plain.
    """
    asked = ask_members(pages(config, http))
    show_rows(rows(asked), COLUMNS, output)
    return OK if ruling(asked) is not None else NO_QUORUM


def show(label: str, *, config: Config = None, http: Http = None, output: Form = "table") -> int:
    """Show one member; exit status 5 if there is none of that name.

    Args:
        label: its name, or its NodeId in hexadecimal.
        output: table prints a line a field; json, jsonl or plain one row.
    """
    asked = ask_members(pages(config, http))
    if all(one.report is None for one in asked):
        say_silent()
        return NO_QUORUM
    found = [row for row in rows(asked) if label in {row["node"], row["id"]}]
    if not found:
        say_absent(f"node {label}", "pnyx node list")
        return NOT_FOUND
    if output == "table":
        for row in found:
            fields = [{"field": name, "value": row[name]} for name in COLUMNS]
            show_rows(fields, ("field", "value"), output)
    else:
        show_rows(found, COLUMNS, output)
    return OK


def members(
    *,
    group: int = 1,
    config: Config = None,
    http: Http = None,
    output: Form = "table",
) -> int:
    """Show a group's membership as its log has it: voters, learners, and who was retired.

    `outgoing` are the old voters while a change is under way: a majority of both is needed then.
    Exit status 4 if the group has no leader with a quorum to say it, 5 if there is no such group.

    Args:
        group: which one; 0 is the controller.
        output: table, json, jsonl or plain.
    """
    asked = ask_members(pages(config, http))
    leader = dict(judge(asked).leaders).get(group)
    answer = next((one for one in asked if leader is not None and one.label == leader), None)
    document = None if answer is None else msgspec.json.decode(answer.document)
    known = [] if document is None else [document["controller"], *document["groups"]]
    membership = next((one["membership"] for one in known if one["group"] == group), None)
    if membership is None:
        reports = [one.report for one in asked if one.report is not None]
        if reports and not any(report.group(group) for report in reports):
            say_absent(f"group g{group}", "pnyx group list")
            return NOT_FOUND
        name = f"g{group}" if group else "the controller"
        print(
            f"error: nobody leads {name} with a quorum, and the others may not know\n"
            "  next    `pnyx health` shows which nodes are missing",
            file=sys.stderr,
        )
        return NO_QUORUM
    labels = {node: label for label, node in membership["names"].items()}
    parts = [
        {"part": part.removesuffix("s"), "id": node, "label": labels.get(node)}
        for part in ("voters", "outgoing", "learners", "retired")
        for node in membership[part]
    ]
    show_rows(parts, ("part", "label", "id"), output)
    return OK


def say_silent() -> None:
    """Say on standard error that no node answers, so that nothing is known."""
    print(
        "error: no node answers, so it is not known what there is\n"
        "  next    `pnyx health` shows whom it asked",
        file=sys.stderr,
    )


def leading(asked: Sequence[Asked]) -> Mapping[str, Any] | None:
    """Return the whole status of the node that leads; None if none does."""
    report = ruling(asked)
    answer = next((one for one in asked if report is not None and one.report is report), None)
    return None if answer is None else msgspec.json.decode(answer.document)


def rows(asked: Sequence[Asked]) -> list[dict[str, object]]:
    """Return a row a member as the leader sees it; without one, as whoever answers does."""
    document = leading(asked)
    is_led = document is not None
    if document is None:
        answer = next((one for one in asked if one.report is not None), None)
        document = {"members": []} if answer is None else msgspec.json.decode(answer.document)
    seen = judge(asked)
    reasons = dict(seen.down)
    last = max((one["match"] or 0 for one in document["members"]), default=0)
    found: list[dict[str, object]] = []
    for member in document["members"]:
        role = "voter" if member["voter"] else "learner"
        state = "up" if member["reachable"] else reasons.get(member["label"], "is not reached")
        match = member["match"]
        found.append(
            {
                "node": member["label"] or "-",
                "role": "leader" if is_led and member["node"] == document["leader"] else role,
                "state": state,
                "id": f"{member['node']:x}",
                "host": member["host"],
                "peer": member["peer_port"],
                "http": member["http_port"],
                "match": match,
                "behind": None if match is None else last - match,
            }
        )
    return found
