"""Does a trace say what happened and why, and come back as it was written?"""

import msgspec
import pandas  # type: ignore[import-untyped]
import pytest

from pnyx.errors import Unlisted
from pnyx.lab import trace as traces
from pnyx.lab.world import World


def recorded() -> list[traces.Row]:
    world = World(5)
    recorder = traces.Recorder(world)
    world.start()
    world.timeline.run(2_000_000)
    return recorder.rows


def test_every_cause_is_an_earlier_event() -> None:
    rows = recorded()
    seen = {0}
    for row in rows:
        assert row.caused_by in seen
        seen.add(row.id)


def test_a_trace_shows_the_election() -> None:
    rows = recorded()
    assert any("RequestVote(" in row.message for row in rows)
    assert any("role=leader" in row.state_change for row in rows)


def test_a_trace_comes_back_as_it_was_written_also_as_a_frame() -> None:
    rows = recorded()
    header = traces.Header("swarm", 5, "0011aabb")
    assert traces.read(traces.write(header, rows)) == (header, rows)
    frame = pandas.DataFrame(map(msgspec.structs.asdict, rows))
    assert list(frame.columns) == list(traces.Row.__struct_fields__)
    assert len(frame) == len(rows)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "empty"),
        ([b"nonsense\n"], "line 1"),
        ([msgspec.json.encode(traces.Header("swarm", 5, "c")), b'{"id": "x"}'], "line 2"),
    ],
)
def test_what_is_no_trace_is_refused_by_line(lines: list[bytes], says: str) -> None:
    with pytest.raises(Unlisted) as refused:
        traces.read(lines)
    assert says in refused.value.cause
