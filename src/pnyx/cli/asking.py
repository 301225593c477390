"""What is done for good is asked first, of a person."""

import sys

from pnyx.errors import SettingsWrong


def go_on(what: str) -> bool:
    """Ask whether that is to be done: a phrase after "will" or "did not".

    Raises:
        SettingsWrong: nobody is there to be asked.
    """
    if not sys.stdin.isatty():
        raise SettingsWrong(
            f"did not {what}; nothing was changed",
            cause="nobody is there to be asked",
            next_step="say --yes",
        )
    return input("go on? [y/N] ").strip().lower() in {"y", "yes"}
