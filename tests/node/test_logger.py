"""One line an event, whatever it carries, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pnyx.node import logger
from pnyx.node.settings import EventsTable


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_an_event_is_one_line_of_key_and_value(stream: io.StringIO) -> None:
    logger.set_up(EventsTable(), stream)
    structlog.get_logger("x").info("peer up", peer="n2", text='two\nlines "quoted"')
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert 'level=info event="peer up"' in lines[0]
    assert "peer=n2" in lines[0]


def test_an_exception_is_still_one_line(stream: io.StringIO) -> None:
    logger.set_up(EventsTable(), stream)
    try:
        int("boom")
    except ValueError:
        structlog.get_logger("x").exception("a bug")
    assert stream.getvalue().count("\n") == 1
    assert "boom" in stream.getvalue()


def test_events_can_be_json(stream: io.StringIO) -> None:
    logger.set_up(EventsTable(format="json"), stream)
    structlog.get_logger("x").warning("odd", count=3)
    event = json.loads(stream.getvalue())
    assert (event["event"], event["level"], event["count"]) == ("odd", "warning", 3)


def test_events_below_the_level_are_not_written(stream: io.StringIO) -> None:
    logger.set_up(EventsTable(level="warning"), stream)
    structlog.get_logger("x").info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("format_name", ["text", "json"])
def test_a_secret_is_masked(stream: io.StringIO, format_name: str) -> None:
    logger.set_up(EventsTable.model_validate({"format": format_name}), stream)
    structlog.get_logger("x").info("login", password="s3cret", requirepass="s3cret")
    assert "s3cret" not in stream.getvalue()
    assert "***" in stream.getvalue()


def test_the_standard_librarys_events_go_the_same_way(stream: io.StringIO) -> None:
    logger.set_up(EventsTable(), stream)
    logging.getLogger("asyncio").error("lost %s", "it")
    assert 'level=error event="lost it"' in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
