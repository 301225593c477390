"""The group's clock: what a leader stamps its entries with.

A stamp is the later of two estimates: the *lower* median of a quorum's wall clocks, so that one
clock that is a year ahead expires nothing; and the stamp before plus half of the leader's
monotonic time since, so that time goes on after a clock was set back. It never goes back itself.
"""

from dataclasses import dataclass, field

from pnyx.consensus.membership import Membership
from pnyx.ids import NodeId
from pnyx.replica.effects import Now

REPORT_AGE_MS_MAX = 10_000
"""A peer's clock reading older than this no longer counts."""


@dataclass(slots=True)
class GroupClock:
    """One node's estimate of the group's time; used while it leads."""

    me: NodeId
    _stamp_ms: int = 0
    _stamped_at_ms: int | None = None
    _reports: dict[NodeId, tuple[int, int]] = field(default_factory=dict)
    """Node -> (its wall clock minus our monotonic clock, when heard)."""

    def heard(self, node: NodeId, wall_ms: int, now: Now) -> None:
        """`node` said that its wall clock shows `wall_ms`."""
        self._reports[node] = (wall_ms - now.mono_ms, now.mono_ms)

    def committed(self, clock_ms: int, now: Now) -> None:
        """The committed clock stands at `clock_ms`: never stamp less."""
        if clock_ms > self._stamp_ms:
            self._stamp_ms = clock_ms
            self._stamped_at_ms = now.mono_ms

    def stamp(self, membership: Membership, now: Now) -> int:
        """Return the time for an entry proposed now, ms since 1970."""
        estimate = self.estimate(membership, now)
        if estimate > self._stamp_ms:
            self._stamp_ms = estimate
            self._stamped_at_ms = now.mono_ms
        return self._stamp_ms

    def estimate(self, membership: Membership, now: Now) -> int:
        """Return what `stamp` would say, without taking it."""
        since = 0 if self._stamped_at_ms is None else now.mono_ms - self._stamped_at_ms
        steady = self._stamp_ms + since // 2
        walls = [now.wall_ms]
        for node in membership.voters:
            offset, heard_ms = self._reports.get(node, (0, -REPORT_AGE_MS_MAX - 1))
            if node != self.me and now.mono_ms - heard_ms <= REPORT_AGE_MS_MAX:
                walls.append(offset + now.mono_ms)
        if len(walls) < len(membership.voters) // 2 + 1:
            return steady
        walls.sort()
        return max(walls[(len(walls) - 1) // 2], steady)
