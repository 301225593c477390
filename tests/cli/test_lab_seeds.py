"""Does --seeds mean what it says, and can a campaign say which it ran?"""

import pytest

from pnyx.cli.app import run
from pnyx.cli.lab.campaign import seeds_of, text_of
from pnyx.errors import SettingsWrong


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", [7]), ("3..5", [3, 4, 5]), ("1..3, 9", [1, 2, 3, 9]), ("2,1..3", [2, 1, 3])],
)
def test_seeds_are_named_one_by_one_or_as_ranges(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds


def test_fresh_seeds_are_printed_as_they_can_be_asked_for_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn = seeds_of("1..3,fresh:2")
    assert drawn[:3] == [1, 2, 3]
    printed = capsys.readouterr().err.removeprefix("fresh seeds ").strip()
    assert seeds_of(printed) == drawn[3:]


@pytest.mark.parametrize("seeds", [[5], [1, 2, 3], [9, 1, 2, 4]])
def test_the_seeds_of_a_campaign_are_told_as_they_are_asked_for(seeds: list[int]) -> None:
    assert seeds_of(text_of(seeds)) == sorted(seeds)


@pytest.mark.parametrize("text", ["", "1..", "5..4", "1..3,", "1..3,x", "fresh", "0..10000000"])
def test_seeds_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(SettingsWrong, match="nothing was run"):
        seeds_of(text)


@pytest.mark.parametrize(
    "words", ["--seconds -3", "--workers -1", "--results /proc/none/x", "--results /proc"]
)
def test_a_campaign_that_cannot_be_runs_nothing(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", "campaign", "R-B3", "--seeds", "1", *words.split()]) == 2
    told = capsys.readouterr()
    assert "bug in pnyx" not in told.err
    assert "runs of seeds" not in told.err


@pytest.mark.parametrize("verb", ["replay", "shrink"])
def test_a_line_of_other_code_is_input_that_cannot_be_used(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lab", verb, "swarm/3/deadbeef"]) == 2
    assert "PX0503" in capsys.readouterr().err
