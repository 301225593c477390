"""The reference page of the command line, made from the commands themselves (`make docs`)."""

from pathlib import Path
from typing import Final

from pnyx.cli.app import app

PAGE_NAME: Final = "cli.md"
FIRST_LINES: Final = """\
# Which commands and options there are

Made from the code by `make docs`; a test compares the two. Exit statuses: 0 ok, 1 failure, 2 usage
or unreadable input, 3 degraded, 4 no quorum, 5 not found, 74 the disk failed, 130 interrupted.

"""


def command_line() -> str:
    """Return docs/reference/cli.md."""
    body = app.generate_docs(usage_name="pnyx", heading_level=2)
    lines = [line.rstrip() for line in body.splitlines()]
    return FIRST_LINES + "\n".join(lines).strip() + "\n"


def write(directory: str) -> None:
    """Write the page into `directory`."""
    (Path(directory) / PAGE_NAME).write_text(command_line(), encoding="utf-8")
