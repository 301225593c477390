"""From the bytes of a file to a history: which format is it?"""

import re
from typing import Final

from pnyx.errors import HistoryUnreadable
from pnyx.lab.formats import canonical, jepsen
from pnyx.lab.formats.transcript import unreadable
from pnyx.lab.history import History

BYTES_MAX: Final = 256 * 1024 * 1024
JSON_START: Final = re.compile(r'\s*\{\s*(?:"|\}|$)')
EDN_START: Final = re.compile(r"\s*(?:;[^\n]*\n\s*)*(?:#[A-Za-z][\w.]*\s*)?[\[({]")


def read(content: bytes, model: str | None = None) -> History:
    """Return the history in a file's bytes; `model` replaces what it says or suggests.

    Raises:
        HistoryUnreadable: with the line that is malformed, cut off or contradictory.
    """
    if len(content) > BYTES_MAX:
        raise HistoryUnreadable(
            f"the file has {len(content)} bytes; at most {BYTES_MAX} are judged",
            next_step="judge a part of it",
        )
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise unreadable(line, "this is not UTF-8") from error
    if not text.strip():
        raise unreadable(1, "the file is empty")
    if JSON_START.match(text):
        return canonical.read(text, model)
    if EDN_START.match(text):
        return jepsen.read_maps(text, model)
    return jepsen.read_log(text, model)
