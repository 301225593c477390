"""lab protocols: what can be watched and broken, and how."""

from pnyx.cli.output import Form, show
from pnyx.cli.statuses import OK
from pnyx.lab.protocols import PROTOCOLS


def protocols(*, output: Form = "table") -> int:
    """List the protocols that can be watched and broken.

    Args:
        output: table, json, jsonl or plain.
    """
    rows = [
        {
            "name": each.name,
            "production": each.engine is not None,
            "scenarios": each.scenarios,
            "--break": each.bugs,
            "about": each.about,
        }
        for each in PROTOCOLS
    ]
    show(rows, ("name", "about", "scenarios", "--break"), output)
    return OK
