"""The program `pnyx`: prints before it imports, and ends in an exit status, never in a trace."""

import os
import sys

from pnyx import __version__
from pnyx.cli.statuses import INTERRUPTED

DEMO_VERBS = frozenset({"kill", "restart", "pause", "partition", "heal", "status"})


def main() -> None:
    """Run the command line and exit."""
    if not __debug__:
        sys.exit("pnyx does not run under python -O: its assertions guard the data")
    words = sys.argv[1:]
    if _starts_demo(words):
        # Imports and processes take most of a second; a user should not look at nothing meanwhile.
        sys.stdout.write(f"pnyx {__version__}  demo cluster\n")
        sys.stdout.flush()
    try:
        # Only now: what comes with this import is what the line above covers up.
        from pnyx.cli.app import run  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

    status = run(words)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # `pnyx scan | head`: the reader has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _starts_demo(words: list[str]) -> bool:
    return words[:1] == ["demo"] and not (
        DEMO_VERBS.intersection(words[1:2]) or {"--help", "-h", "--version"}.intersection(words)
    )


if __name__ == "__main__":
    main()
