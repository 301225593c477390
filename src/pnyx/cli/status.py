"""status and health: every node is asked, and every node is shown, whether it answers or not."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from pnyx.admin.health import Asked, Health, Word, ask_members, judge
from pnyx.admin.page import TIMED_OUT
from pnyx.cli.options import Flag, Http
from pnyx.cli.output import Form, show
from pnyx.cli.places import is_demo, pages

COLUMNS: Final = (
    "node",
    "role",
    "state",
    "gateway",
    "cluster",
    "http",
    "term",
    "commit",
    "applied",
)
WATCH_S: Final = 1.0
LED_SHOWN: Final = 4
"""More groups than these are counted."""


def status(
    *,
    config: Path | None = None,
    http: Http = None,
    watch: Flag = False,
    output: Form = "table",
) -> int:
    """Show every node of a cluster; exit status 0, 3 or 4 as `pnyx health`.

    Args:
        config: a node's settings file: it names all nodes.
        watch: show it again each second until interrupted.
        output: table, json, jsonl or plain.
    """
    while True:
        places = pages(config, http)
        asked = ask_members(places)
        seen = judge(asked)
        if watch:
            print("\x1b[H\x1b[2J" if sys.stdout.isatty() else "", end="")
        show((_row(one, seen) for one in asked), COLUMNS, output)
        if output == "table":
            print(_advice(seen, demo=is_demo(places)))
        if not watch:
            return seen.exit_code
        time.sleep(WATCH_S)


def health(
    *,
    config: Path | None = None,
    http: Http = None,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
    output: Form = "table",
) -> int:
    """Say how the cluster is; exit status 0 healthy, 3 degraded, 4 no quorum.

    Args:
        config: a node's settings file: it names all nodes.
        quiet: print nothing; the exit status says it.
        output: table prints a sentence; json, jsonl and plain the same as fields.
    """
    places = pages(config, http)
    seen = judge(ask_members(places))
    if quiet:
        return seen.exit_code
    if output == "table":
        print(_advice(seen, demo=is_demo(places)))
        return seen.exit_code
    lacking = [f"g{group} {label}" for group, label in seen.lacking]
    row = {
        "health": seen.word.value,
        "leader": seen.leader,
        "slots_served": seen.slots_served,
        "refusing": [f"{run.first}-{run.last}" for run in seen.refusing]
        if output != "plain"
        else ",".join(f"{run.first}-{run.last}" for run in seen.refusing),
        "lacking": lacking if output != "plain" else ",".join(lacking),
        "low_space": list(seen.low) if output != "plain" else ",".join(seen.low),
        "may_lose": seen.may_lose,
        "up": list(seen.up) if output != "plain" else ",".join(seen.up),
        "learners": list(seen.learners) if output != "plain" else ",".join(seen.learners),
        "down": dict(seen.down) if output != "plain" else ",".join(name for name, _ in seen.down),
    }
    show([row], tuple(row), output)
    return seen.exit_code


def _row(asked: Asked, seen: Health) -> dict[str, object]:
    if asked.report is None:
        return {"node": asked.label, "state": asked.error, "http": asked.address}
    document = _document(asked)
    own: dict[str, Any] = next((m for m in document["members"] if m["node"] == document["me"]), {})
    reasons = dict(seen.down)
    return {
        "node": asked.label,
        "role": _role(asked, own, seen),
        "state": reasons.get(asked.label) or document.get("why_not_ready") or "up",
        "gateway": f"{own['host']}:{own['gateway_port']}" if own else None,
        "cluster": f"{own['host']}:{own['cluster_port']}" if own else None,
        "http": asked.address,
        "term": asked.report.term,
        "commit": document.get("commit_index"),
        "applied": document.get("applied_index"),
    }


def _role(asked: Asked, own: Mapping[str, Any], seen: Health) -> str:
    led = [f"g{group}" for group, label in seen.leaders if group and label == asked.label]
    if led:
        return f"leads {' '.join(led) if len(led) <= LED_SHOWN else f'{len(led)} groups'}"
    if own and not own["voter"]:
        return "learner"
    return "follower" if own else "none"


def _document(asked: Asked) -> Mapping[str, Any]:
    document: Mapping[str, Any] = msgspec.json.decode(asked.document)
    return document


def _advice(seen: Health, *, demo: bool) -> str:
    sentence = seen.sentence()
    if seen.word is Word.HEALTHY:
        return sentence
    return f"{sentence}\n  next    {_step(seen, demo=demo)}"


def _step(seen: Health, *, demo: bool) -> str:
    if not seen.answering and all(":" in label for label, _ in seen.down):
        return (
            "start a cluster with `pnyx demo`, or name one with --config FILE or --http HOST:PORT"
        )
    waiting = [label for label, reason in seen.down if "waits to replace" in reason]
    if len(waiting) == len(seen.down) > 0:
        return "pnyx status --watch: it takes its place once the old one was silent for long enough"
    strangers = [label for label, reason in seen.down if "is no member" in reason]
    if len(strangers) == len(seen.down) > 0:
        return f"pnyx node add {strangers[0]}, or stop it"
    cut = [label for label, reason in seen.down if "cut off" in reason]
    hung = [label for label, reason in seen.down if reason == TIMED_OUT]
    known = {*waiting, *strangers, *cut, *hung}
    ended = [label for label, _ in seen.down if label not in known]
    steps = (_demo_steps if demo else _server_steps)(cut, hung, ended)
    if seen.low:
        room = f"make room on the disks of {' '.join(seen.low)}: writes come back by themselves"
        steps = [room, *steps]
    return ", then ".join(steps) or "pnyx status --watch: a leader is being elected"


def _demo_steps(cut: Sequence[str], hung: Sequence[str], ended: Sequence[str]) -> list[str]:
    healed = f"pnyx demo heal (for {' '.join([*cut, *hung])})"
    return [healed] * bool(cut or hung) + [f"pnyx demo restart {label}" for label in ended]


def _server_steps(cut: Sequence[str], hung: Sequence[str], ended: Sequence[str]) -> list[str]:
    # A process that is stopped and a machine that is gone look the same from here.
    return [
        *(f"let {label} go on, or start it and its machine again" for label in hung),
        *(f"pnyx server --config {label}.toml" for label in ended),
        *(f"mend the network between {label} and the others" for label in cut),
    ]
