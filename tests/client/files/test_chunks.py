"""How much a step about many chunks makes a node do at once, whoever it is for."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pnyx.client.command import Command
from pnyx.client.errand import Call
from pnyx.client.files.chunks import Chunks
from pnyx.client.files.formats import CHUNK_BYTES
from pnyx.transport.verdict import Trail

COUNT = 400
"""Chunks of 100 MiB."""
ENTRY_BYTES_MAX = 4 << 20
"""What one entry of the log makes a node read and write again: as much as one large value."""


class Cluster:
    """Does what it is told, and remembers in which steps."""

    def __init__(self) -> None:
        self.steps: list[Sequence[Command]] = []

    def run(self, queued: Sequence[Command]) -> list[Call]:
        self.steps.append(queued)
        calls = [Call(command, Trail(command.writes, in_session=True)) for command in queued]
        for call in calls:
            call.finish(1)
        return calls


STEPS: list[Callable[[Chunks], Any]] = [
    lambda chunks: chunks.let_go(b"id", COUNT),
    lambda chunks: chunks.delete(b"id", range(COUNT)),
    lambda chunks: chunks.count(b"id", COUNT),
]


@pytest.mark.parametrize("act", STEPS, ids=["let go", "delete", "count"])
def test_no_step_makes_a_node_touch_more_than_one_large_value_holds(
    act: Callable[[Chunks], Any],
) -> None:
    cluster = Cluster()
    act(Chunks(cluster))  # type: ignore[arg-type]
    assert max(map(len, cluster.steps)) * CHUNK_BYTES <= ENTRY_BYTES_MAX
    keys = [command.words[1] for step in cluster.steps for command in step]
    assert len(keys) == len(set(keys)) == COUNT
