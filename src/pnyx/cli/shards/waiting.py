"""What verbs that move shards share: asking first, then a bar on standard error until the end."""

import sys
import time
from dataclasses import dataclass, field
from typing import Final

from pnyx.admin import moves
from pnyx.admin.controller import Cluster
from pnyx.admin.health import ask_members
from pnyx.admin.movement import ask_moves
from pnyx.admin.moves import Goal
from pnyx.cli.asking import go_on
from pnyx.cli.progress import Progress
from pnyx.cli.statuses import OK

REASONS_MAX: Final = 3
SAID_S: Final = 1.0
"""So often it is said how much is copied: one large shard takes minutes."""
STALLED_S: Final = 5.0
"""When nothing has moved for so long, it is said why."""


def wait_for(cluster: Cluster, goal: Goal, wait_s: float, again: str) -> int:
    """Wait until the goal is reached and say so; `again` is what goes on after an interruption.

    Raises:
        MovesPending: it took longer than `wait_s`.
        ControllerRefused: somebody asked for the opposite meanwhile.
        ControllerSilent, NoAnswer: as `moves.follow`.
        KeyboardInterrupt: after it was said that the shards go on moving.
    """
    if wait_s == 0:
        print(f"decided; the shards move by themselves, and `{again}` waits for them")
        return OK
    began_s = time.monotonic()
    line = _Line(cluster, began_s)
    reasons: list[str] = []
    seen: set[tuple[int, int]] = set()
    try:
        for progress in moves.follow(cluster, goal, wait_s):
            seen |= {(move.shard, move.target) for move in progress.left}
            now_s = time.monotonic()
            line.show(progress, now_s)
            if line.stalls(now_s):
                found = _reasons(cluster, progress)
                if found and found != reasons:
                    line.bar.end()
                    _explain(progress, reasons := found)
    except KeyboardInterrupt:
        print(f"\nthe shards go on moving; `{again}` goes on waiting", file=sys.stderr)
        raise
    finally:
        line.bar.end()
    print(f"all shards are where they should be, after {time.monotonic() - began_s:.1f} s")
    if seen:
        _say_measures(cluster, seen)
    return OK


@dataclass(slots=True)
class _Line:
    """The bar of one wait."""

    cluster: Cluster
    moved_s: float
    """When a shard arrived last, or nobody knew why none did."""
    said_s: float = 0.0
    left: int = 0
    bar: Progress = field(default_factory=lambda: Progress(0, "shards moved"))

    def show(self, progress: moves.Progress, now_s: float) -> None:
        """Count shards that arrived, and say now and then how much of the others is copied."""
        now = len(progress.left)
        if now > self.left:
            # At first, or somebody asked for more or took something back.
            self.bar.grow(now - self.left)
            self.left = now
        while self.left > now:
            self.bar.step()
            self.left -= 1
            self.moved_s = now_s
        if self.bar.visible and now and now_s - self.said_s > SAID_S:
            self.said_s = now_s
            self.bar.say(_copied(self.cluster, progress))

    def stalls(self, now_s: float) -> bool:
        """Has nothing arrived for so long that it is to be said why?"""
        if now_s - self.moved_s <= STALLED_S:
            return False
        self.moved_s = now_s
        return True


def agreed(what: str, *, yes: bool) -> bool:
    """Ask a person whether it is to be done.

    Raises:
        SettingsWrong: nobody is there to be asked.
    """
    print(f"will {what}")
    return yes or go_on(what)


def _reasons(cluster: Cluster, progress: moves.Progress) -> list[str]:
    """Return why nothing moves: what the controller, the groups' leaders, or their moves say."""
    if progress.why:
        return [progress.why]
    found = moves.hindrances(ask_members(cluster.pages), progress.left)
    if not found:
        whys = {one.why for one in ask_moves(cluster.pages).under_way if one.why}
        found = sorted(whys)[:REASONS_MAX]
    return found


def _copied(cluster: Cluster, progress: moves.Progress) -> str:
    """Say how much of what is left is copied, as the nodes tell that do it."""
    left = {(move.shard, move.target) for move in progress.left}
    under_way = [
        one for one in ask_moves(cluster.pages).under_way if (one.shard, one.destination) in left
    ]
    return f"{len(under_way)} under way, {sum(one.copied_bytes for one in under_way) / 1e6:.1f} MB"


def _say_measures(cluster: Cluster, seen: set[tuple[int, int]]) -> None:
    """Say what the moves of these shards to these groups cost, as far as nodes still know."""
    ended = ask_moves(cluster.pages).ended
    last = {(one.shard, one.destination): one for one in ended}
    known = [last[key] for key in seen if key in last]
    if known:
        count = moves.counted(len(known), "move", "moves")
        copied_mb = sum(one.copied_bytes for one in known) / 1e6
        frozen_ms = max(one.freeze_ms for one in known)
        print(
            f"{count}: {copied_mb:.1f} MB copied, no shard stood still for more than "
            f"{frozen_ms} ms",
            file=sys.stderr,
        )


def _explain(progress: moves.Progress, reasons: list[str]) -> None:
    print(f"waiting: {'; '.join(reasons)}", file=sys.stderr)
    if len(progress.left) == 1:
        one = progress.left[0]
        back = f"pnyx shards move {one.shard} {moves.name_of(one.source)}"
        print(f"  `{back}` takes it back", file=sys.stderr)
