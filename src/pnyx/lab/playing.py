"""Scripts, driven by the events of a simulated world: what a script waits for is simulated time."""

from typing import Any

from pnyx.lab.scenario import Script, Sleep, Step, Until
from pnyx.lab.timeline import NOWHERE, Timeline


class Playing:
    """The scripts of one scenario."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._tasks = 0

    def spawn(self, script: Script) -> None:
        """Let a script begin, beside those that run."""
        self._tasks += 1
        self._plan(0, script, None)

    def run(self, limit_us: int) -> str:
        """Let the world go on until all scripts have ended; return why they have not, or nothing.

        Raises:
            Failed: a script asserted what does not hold.
            Violation: an invariant broke.
        """
        timeline = self._timeline
        while self._tasks and timeline.now_us < limit_us:
            timeline.step()
        return f"not over after {limit_us / 1e6:.0f} simulated seconds" if self._tasks else ""

    def _plan(self, delay_us: int, script: Script, value: Any) -> None:
        self._timeline.after_us(delay_us, "script", NOWHERE, self._advance, script, value)

    def _advance(self, script: Script, value: Any) -> None:
        try:
            step = script.send(value)
        except StopIteration:
            self._tasks -= 1
            return
        self._wait(script, step)

    def _wait(self, script: Script, step: Step) -> None:
        match step:
            case Sleep(us):
                self._plan(us, script, None)
            case Until():
                self._poll(script, step, self._timeline.now_us + step.within_us)

    def _poll(self, script: Script, step: Until, deadline_us: int) -> None:
        if step.reached():
            self._plan(0, script, True)
        elif self._timeline.now_us >= deadline_us:
            self._plan(0, script, False)
        else:
            self._timeline.after_us(
                step.every_us, "script", NOWHERE, self._poll, script, step, deadline_us
            )
