"""Does one printed line bring the same run back?"""

from dataclasses import replace

import pytest

from pnyx.errors import OtherVersion, Unlisted
from pnyx.lab.catalogue import scenario_named
from pnyx.lab.judge import watched
from pnyx.lab.replay import TEXT_BYTES_MAX, line_of, parse, plan_of
from pnyx.lab.scenario import NEAR_COUNT_MAX
from pnyx.lab.swarm import draw
from pnyx.lab.workload import Kept

CODE = "0011aabb"


def test_a_line_brings_a_run_of_the_swarm_back() -> None:
    plan = draw(3)
    line = line_of(plan, CODE)
    assert line == f"swarm/3/{CODE}"
    assert plan_of(parse(line, CODE)) == plan


def test_a_line_brings_a_shrunk_run_back_to_the_byte() -> None:
    plan = draw(3, safety_us=1_000_000)
    smaller = replace(
        plan, faults=plan.faults[:2], kept=(Kept(1, 1, 600_000, 2), Kept(1, 3, 700_000, 1))
    )
    again = plan_of(parse(line_of(smaller, CODE), CODE))
    assert again == smaller
    assert watched(again).hash == watched(smaller).hash


def test_a_run_of_other_code_is_refused_by_version() -> None:
    with pytest.raises(OtherVersion) as refused:
        parse("swarm/3/ffffffff", CODE)
    assert "ffffffff" in refused.value.cause
    assert CODE in refused.value.cause


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("swarm/3/ffffffff", "pnyx lab run 3"),
        ("R-B9/7/ffffffff", "pnyx lab run R-B9 --seed 7"),
        ("S-11@multipaxos/5/ffffffff", "pnyx lab run S-11 --seed 5 --consensus multipaxos"),
    ],
)
def test_a_run_of_other_code_is_offered_anew(line: str, command: str) -> None:
    with pytest.raises(OtherVersion) as refused:
        parse(line, CODE)
    assert refused.value.next_step.endswith(command)


def test_an_id_that_nobody_knows_is_answered_with_the_nearest() -> None:
    with pytest.raises(Unlisted) as refused:
        scenario_named("R-B99")
    assert "R-B9" in refused.value.cause
    assert refused.value.cause.count(",") < NEAR_COUNT_MAX
    with pytest.raises(Unlisted) as unlike:
        scenario_named("nothing like that")
    assert "none is like it" in unlike.value.cause


@pytest.mark.parametrize(
    "text",
    [
        "",
        "swarm",
        "swarm/3",
        "swarm/x/0011aabb",
        f"swarm/{2**64}/0011aabb",
        "swarm/3/0011aabb/more/parts",
        "swarm/3/0011aabb/" + "x" * TEXT_BYTES_MAX,
    ],
)
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(Unlisted):
        parse(text, CODE)


@pytest.mark.parametrize("rest", ["!!!", "AAAA", "eJxLSgQA", "eNqbNnnqkpL8"])
def test_a_line_whose_end_is_damaged_is_refused(rest: str) -> None:
    with pytest.raises(Unlisted):
        plan_of(parse(f"swarm/3/{CODE}/{rest}", CODE))
