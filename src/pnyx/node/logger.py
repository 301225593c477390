"""How events are written: one line each, on standard error, as key=value or JSON.

An event is a short fixed sentence and named values; what varies is never put into the sentence.
No value is a secret: a key named like one is masked, whoever wrote it, as the last line of defence.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from pnyx.node.settings import EventsTable

MASKED: Final = frozenset({"requirepass", "password", "secret", "auth", "token"})
_FIRST: Final = ("timestamp", "level", "event")


def set_up(events: EventsTable, stream: TextIO | None = None) -> None:
    """Send all events from now on to `stream` (standard error if None), as `events` says.

    The standard library's loggers (asyncio's, aiohttp's) go the same way.
    """
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[events.level.upper()]
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.processors.LogfmtRenderer(key_order=_FIRST, bool_as_flag=False)
    if events.format == "json":
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))


def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return `event` without what must not be read in a log."""
    for key in MASKED & event.keys():
        event[key] = "***"
    return event
