"""What becomes of a long pipeline when nobody answers, and of a word that cannot be sent?"""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from pnyx.client import async_runner, commands, runner
from pnyx.client.command import Command
from pnyx.client.errand import Call
from pnyx.client.errors import Timeout, Unavailable
from pnyx.client.pipeline import CHUNK_BYTES_MAX, CHUNK_COMMANDS_MAX, Queue, chunks
from pnyx.client.settings import settled
from pnyx.client.wire import Value

NOBODY = settled(
    "pnyx://127.0.0.1:1", password=None, timeout_s=0.2, decode=False, exactly_once=False
)
"""Port 1: nobody listens."""

Run = Callable[[Sequence[Command]], list[Call]]


def run(queued: Sequence[Command]) -> list[Call]:
    return runner.Runner.of(NOBODY).run(queued)


def run_on_asyncio(queued: Sequence[Command]) -> list[Call]:
    return asyncio.run(async_runner.Runner.of(NOBODY).run(queued))


@pytest.mark.parametrize("face", [run, run_on_asyncio])
def test_what_stands_behind_a_thousand_that_nobody_answered_is_not_sent(face: Run) -> None:
    calls = face([commands.incr("visits")] * 20 * CHUNK_COMMANDS_MAX)
    assert len(calls) == 20 * CHUNK_COMMANDS_MAX
    assert isinstance(calls[0].error, Unavailable)
    for behind in (calls[CHUNK_COMMANDS_MAX].error, calls[-1].error):
        assert isinstance(behind, Timeout)
        assert behind.outcome == "not_applied"
        assert "not sent" in str(behind)


def test_a_word_that_cannot_be_sent_is_told_before_anything_is() -> None:
    queue = Queue().set("fine", 1)
    with pytest.raises(TypeError, match="NoneType"):
        queue.set("bad", None)
    assert len(queue) == 1


@pytest.mark.parametrize(
    "kind", [bytes, bytearray, lambda raw: memoryview(raw).cast("Q"), bytes.decode]
)
def test_values_of_any_kind_fill_what_leaves_at_a_time(kind: Callable[[bytes], Value]) -> None:
    value = kind(bytes(CHUNK_BYTES_MAX))
    assert len(chunks([commands.set("k", value)] * 3)) == 3
