"""node recover: what is left to do when a majority is gone for ever. It may lose data."""

import sys
from pathlib import Path
from typing import Final

from pnyx.cli.options import Flag
from pnyx.cli.output import Form, show
from pnyx.cli.statuses import OK
from pnyx.node.survivor import SurvivingGroup, go_on_alone, survey


def recover(
    data: Path,
    *,
    accept_data_loss: Flag = False,
    output: Form = "table",
) -> int:
    """NOT SAFE: let one stopped node go on alone after a majority is lost for ever.

    Without --accept-data-loss it prints what the node holds of each group and changes nothing: look
    at every survivor first, and take the one with the highest last term, then the highest last
    index. What was acknowledged and is not in its logs is lost. All other nodes are retired.

    Args:
        data: the node's data directory, as `data` in its settings file; the node must not run.
        accept_data_loss: do it.
        output: table, json, jsonl or plain.
    """
    seen = go_on_alone(data) if accept_data_loss else survey(data)
    rows = [
        {
            "node": seen.label,
            "id": f"{seen.node:x}",
            "group": one.group or "controller",
            "last_term": one.last.term,
            "last_index": one.last.index,
            "applied": one.applied,
            "term": one.term,
            "voters": ",".join(_named(one)),
        }
        for one in seen.groups
    ]
    show(rows, tuple(rows[0]), output)
    for line in _DONE if accept_data_loss else _ASKED:
        print(line.format(label=seen.label), file=sys.stderr)
    return OK


_ASKED: Final = (
    "nothing was changed.",
    "NOT SAFE: what was acknowledged and is not in the log of the node you choose is lost.",
    "  1  stop every node; make sure that those you give up never start again with their data",
    "  2  run this on each survivor; choose the highest last_term, then the highest last_index",
    "  3  run it there once more with --accept-data-loss",
)
_DONE: Final = (
    "{label} is the only member of its groups now; everybody else is retired.",
    "  1  start it:  pnyx server --config {label}.toml",
    "  2  look at your data: writes acknowledged last may be missing",
    "  3  move the data directories of the other nodes away, and add each again:",
    "     pnyx node add LABEL=HOST  (with its old file: pnyx node add LABEL), and start it",
)


def _named(seen: SurvivingGroup) -> list[str]:
    labels = {node: label for label, node in seen.membership.names}
    return [labels.get(node, f"{node:x}") for node in seen.membership.voters]
