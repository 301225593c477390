"""The original simulator's own tests are all there, and can say no.

`make lab` plays them: three fixed seeds and a fresh one.
"""

from typing import Final

from pnyx.lab.catalogue import all_scenarios
from pnyx.lab.network import RELIABLE
from pnyx.lab.scenario import Scenario, Script
from pnyx.lab.scenarios.calls import FUNCTIONS, Calls
from pnyx.lab.scenarios.n_t7 import unreliable
from pnyx.lab.stage import WorldStage, play

IDS: Final = [each.id for each in all_scenarios() if each.id.startswith("N-T")]


def test_no_test_of_the_original_simulator_is_missing() -> None:
    # N-T2 is about pointers as arguments, which Python has not.
    assert {f"N-T{number}" for number in range(1, 12)} - {"N-T2"} == set(IDS)


def _played(script: object) -> str:
    return play(Scenario("T-1", "a test", "here", 0, script), 1).failed  # type: ignore[arg-type]


def test_reliable_links_do_not_pass_for_unreliable_ones() -> None:
    scenario = Scenario("T-1", "a test", "here", 0, unreliable.script, profile=RELIABLE)
    assert "calls that succeeded" in play(scenario, 1).failed


def test_a_reply_of_a_deleted_server_is_never_delivered() -> None:
    def script(stage: WorldStage) -> Script:
        calls = Calls(stage)
        echo = calls.serve(1, FUNCTIONS, text=50_000)
        ring = calls.end(1).call("text", 1)
        yield ring.over(20_000)
        calls.delete(echo)
        yield ring.over(1_000_000)
        stage.check(ring.is_over and ring.result is None, f"it said {ring.result!r}")
        stage.budget("ms until the call failed", (ring.ended_us - ring.began_us) / 1e3, 120)

    assert _played(script) == ""


def test_a_call_that_is_cut_on_its_way_fails_and_is_not_delivered() -> None:
    def script(stage: WorldStage) -> Script:
        calls = Calls(stage)
        echo = calls.serve(1, FUNCTIONS)
        end = calls.end(1)
        ring = end.call("text", 1)
        end.enable(enabled=False)
        yield ring.over(20_000_000)
        stage.check(ring.is_over and ring.result is None, f"it said {ring.result!r}")
        stage.check(echo.received == 0, "it was delivered")

    assert _played(script) == ""
