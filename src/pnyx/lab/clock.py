"""A node's two clocks: one that only grows, perhaps too fast, and one that may jump."""

from dataclasses import dataclass
from typing import Final

from pnyx.replica.effects import Now

EPOCH_US: Final = 1_700_000_000_000_000
"""What wall clocks show when a world begins, microseconds since 1970."""
_MILLION: Final = 1_000_000


@dataclass(slots=True)
class Clock:
    """Reads simulated time as one node sees it."""

    drift_ppm: int = 0
    """Parts in a million that it runs too fast (negative: too slow)."""
    wall_offset_us: int = 0
    """What its wall clock is ahead of the others'."""
    noise_us: int = 0
    """Each reading of the wall clock is wrong by up to this."""
    changed: bool = False
    """Was it set since somebody last cleared this? A reading of the same moment is void then."""
    _since_us: int = 0
    _mono_us: int = 0
    """What the monotone clock showed at `_since_us`, when the drift changed last."""

    def mono_us(self, now_us: int) -> int:
        """Return the monotone clock at the simulated time `now_us`."""
        passed = now_us - self._since_us
        return self._mono_us + passed * (_MILLION + self.drift_ppm) // _MILLION

    def read(self, now_us: int) -> Now:
        """Return both clocks, in milliseconds."""
        # `mono_us`, once more: clocks are read in every event.
        passed = now_us - self._since_us
        mono_us = self._mono_us + passed * (_MILLION + self.drift_ppm) // _MILLION
        wall_us = EPOCH_US + mono_us + self.wall_offset_us
        if self.noise_us:
            wall_us += hash((now_us, self.noise_us)) % (2 * self.noise_us + 1) - self.noise_us
        return Now(mono_us // 1_000, wall_us // 1_000)

    def when_us(self, mono_ms: int) -> int:
        """Return the simulated time at which the monotone clock shows `mono_ms`."""
        lacks_us = mono_ms * 1_000 - self._mono_us
        return self._since_us - (-lacks_us * _MILLION // (_MILLION + self.drift_ppm))

    def set_drift(self, now_us: int, drift_ppm: int) -> None:
        """Run at another speed from `now_us` on."""
        assert drift_ppm > -_MILLION, "a clock that stands still needs no drift but a pause"
        self._mono_us = self.mono_us(now_us)
        self._since_us = now_us
        self.drift_ppm = drift_ppm
        self.changed = True

    def jump(self, by_us: int) -> None:
        """Set the wall clock forward, or back."""
        self.wall_offset_us += by_us
        self.changed = True

    def set_noise(self, noise_us: int) -> None:
        """Let readings of the wall clock be wrong by up to `noise_us`, each differently."""
        self.noise_us = noise_us
        self.changed = True
