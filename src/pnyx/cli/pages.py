"""The pages of docs/reference that are made from the code (`make docs`)."""

from pathlib import Path
from typing import Final

from pnyx.cli.app import app
from pnyx.gateway import reference as redis_commands
from pnyx.lab.zoo import page as zoo
from pnyx.node import example

FIRST_LINES: Final = """\
# Which commands and options there are

Made from the code by `make docs`; a test compares the two. Exit statuses: 0 ok, 1 failure, 2 usage
or unreadable input, 3 degraded, 4 no quorum, 5 not found, 6 violation found, 7 undecided, 74
the disk failed, 130 interrupted.

"""
SETTINGS_TABLE_STARTS: Final = "| setting |"


def command_line() -> str:
    """Return docs/reference/cli.md."""
    body = app.generate_docs(usage_name="pnyx", heading_level=2)
    lines = [line.rstrip() for line in body.splitlines()]
    return FIRST_LINES + "\n".join(lines).strip() + "\n"


def settings(page: str) -> str:
    """Return docs/reference/settings.md with its table, which ends the page, made again."""
    return page[: page.index(SETTINGS_TABLE_STARTS)] + example.reference()


def write(directory: str) -> None:
    """Write all of them into `directory`."""
    folder = Path(directory)
    (folder / "cli.md").write_text(command_line(), encoding="utf-8")
    (folder / "redis-commands.md").write_text(redis_commands.page(), encoding="utf-8")
    (folder / "zoo.md").write_text(zoo.page(), encoding="utf-8")
    page = folder / "settings.md"
    page.write_text(settings(page.read_text(encoding="utf-8")), encoding="utf-8")
