"""Links between places: directed, each with its own fate for each message.

What a link does to the k-th message over it is decided by the seed, the two ends and k alone.
Messages are bytes; the network neither reads nor repairs them. A profile without faults delivers
in order, as TCP does; loss, duplication and reordering are what broken and re-made connections do
to a stream of frames, seen from above.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from pnyx.lab.chance import Chance
from pnyx.lab.timeline import Timeline
from pnyx.transport.lane import LANES, Lane

Receiver: TypeAlias = Callable[[int, bytes], None]
"""Called with the sender's place and the bytes."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How links behave; times in microseconds, rates between 0 and 1."""

    latency_us: int = 100
    jitter_us: int = 50
    """Mean of an exponential share on top."""
    uniform_us: int = 0
    """Upper bound of a uniform share on top, of requests only: replies come at once."""
    loss: float = 0.0
    duplicate: float = 0.0
    replay: float = 0.0
    """Delivered a second time, `replay_us_max` later at most: an old message."""
    replay_us_max: int = 5_000_000
    corrupt: float = 0.0
    """One bit is flipped."""
    reply_hold: float = 0.0
    """Replies held back by 200 ms + rand(1 + rand(0..1999)) ms."""
    reorder: bool = False
    """May messages of a link overtake each other?"""
    bytes_per_s: int = 0
    """Capacity of a link; 0 is without limit."""


RELIABLE: Final = Profile()
MIT_UNRELIABLE: Final = Profile(
    latency_us=0, jitter_us=0, uniform_us=26_000, loss=0.1, reorder=True
)
"""A request is delayed by 0-26 ms, one in ten is lost, and one in ten replies (MIT's labrpc)."""
MIT_REORDERING: Final = replace(MIT_UNRELIABLE, reply_hold=2 / 3)
"""Two of three replies are held back as well."""

QUEUED_US_MAX: Final = 2_000_000
"""A link with a capacity drops what would wait longer than this: its buffer is full."""


@dataclass(slots=True)
class Traffic:
    """What went over a link; only grows."""

    sent: int = 0
    delivered: int = 0
    bytes: int = 0
    """Of everything sent, lost or not."""


@dataclass(slots=True)
class _Link:
    traffic: Traffic = field(default_factory=Traffic)
    blocks: int = 0
    """By how many faults it is cut; 0 is open."""
    clogged: bool = False
    held: list[tuple[bytes, Lane]] = field(default_factory=list)
    """What waits for the clog to go."""
    free_us: int = 0
    """When its capacity is free again."""
    last_us: list[int] = field(default_factory=lambda: [0] * len(LANES))
    """By lane, when the newest message arrives: the ones behind it come later."""


HELD_COUNT_MAX: Final = 1_000
"""Messages a clogged link holds; more are lost, as with a full socket buffer."""


class Network:
    """All links of a world."""

    def __init__(self, timeline: Timeline, chance: Chance, profile: Profile = RELIABLE) -> None:
        self.profile = profile
        self._timeline = timeline
        self._chance = chance
        self._receivers: dict[int, Receiver] = {}
        self._links: dict[tuple[int, int], _Link] = {}

    def attach(self, place: int, receiver: Receiver) -> None:
        """Deliver what is sent to `place` to `receiver` from now on."""
        self._receivers[place] = receiver

    def detach(self, place: int) -> None:
        """Drop what arrives at `place`: nobody listens there."""
        self._receivers.pop(place, None)

    def traffic(self, source: int, target: int) -> Traffic:
        """Return the counts of one direction."""
        return self._link(source, target).traffic

    def send(
        self,
        source: int,
        target: int,
        content: bytes,
        *,
        lane: Lane = Lane.RAFT,
        reply: bool = False,
    ) -> bool:
        """Let `content` leave `source`; it may arrive never, once or twice. False: surely never."""
        link = self._links.get((source, target)) or self._link(source, target)
        traffic = link.traffic
        number = traffic.sent = traffic.sent + 1
        traffic.bytes += len(content)
        loss = self.profile.loss
        if link.blocks or (loss and self._chance.hit(loss, "loss", source, target, number)):
            return False
        if link.clogged:
            has_room = len(link.held) < HELD_COUNT_MAX
            if has_room:
                link.held.append((content, lane))
            return has_room
        return self._pass(link, (source, target, number), content, lane, reply=reply)

    def block(self, source: int, target: int) -> None:
        """Cut one direction; what is on its way is lost. Each cut is undone by one `unblock`."""
        self._link(source, target).blocks += 1

    def unblock(self, source: int, target: int) -> None:
        """Undo one `block`."""
        link = self._link(source, target)
        assert link.blocks > 0, "only a cut link can be opened"
        link.blocks -= 1

    def is_open(self, source: int, target: int) -> bool:
        """Would a message get through, luck aside?"""
        return self._link(source, target).blocks == 0

    def clog(self, source: int, target: int) -> None:
        """Hold back what is sent from now on."""
        self._link(source, target).clogged = True

    def unclog(self, source: int, target: int) -> None:
        """Deliver what was held back, in order."""
        link = self._link(source, target)
        link.clogged = False
        held, link.held = link.held, []
        for content, lane in held:
            link.traffic.sent += 1
            self._pass(link, (source, target, link.traffic.sent), content, lane, reply=False)

    def heal(self) -> None:
        """Undo every block and clog."""
        for source, target in sorted(self._links):
            self.heal_link(source, target)

    def heal_link(self, source: int, target: int) -> None:
        """Undo every block and the clog of one direction."""
        link = self._link(source, target)
        link.blocks = 0
        if link.clogged:
            self.unclog(source, target)

    def _link(self, source: int, target: int) -> _Link:
        link = self._links.get((source, target))
        if link is None:
            link = self._links[source, target] = _Link()
        return link

    def _pass(
        self, link: _Link, where: tuple[int, int, int], content: bytes, lane: Lane, *, reply: bool
    ) -> bool:
        profile = self.profile
        now_us = self._timeline.now_us
        delay_us = profile.latency_us
        if profile.jitter_us:
            delay_us += int(self._chance.exponential(profile.jitter_us, "jitter", *where))
        if profile.uniform_us or profile.reply_hold:
            delay_us += self._hold_us(profile, where, reply=reply)
        if profile.bytes_per_s:
            start_us = max(link.free_us, now_us)
            if start_us > now_us + QUEUED_US_MAX:
                return False
            link.free_us = start_us + len(content) * 1_000_000 // profile.bytes_per_s
            delay_us += link.free_us - now_us
        arrival_us = now_us + delay_us
        if not profile.reorder:
            last_us = link.last_us
            arrival_us = max(arrival_us, last_us[lane])
            last_us[lane] = arrival_us
        chance = self._chance
        if profile.corrupt and chance.hit(profile.corrupt, "corrupt", *where):
            content = _damaged(content, chance.below(len(content) * 8, "bit", *where))
        arrivals_us = [arrival_us]
        if profile.duplicate and chance.hit(profile.duplicate, "duplicate", *where):
            arrivals_us.append(arrival_us + delay_us)
        if profile.replay and chance.hit(profile.replay, "replay", *where):
            late_us = chance.below(profile.replay_us_max, "replay time", *where)
            arrivals_us.append(arrival_us + late_us)
        source, target, _ = where
        for at_us in arrivals_us:
            self._timeline.at(at_us, "deliver", target, self._arrive, source, target, content)
        return True

    def _hold_us(self, profile: Profile, where: tuple[int, int, int], *, reply: bool) -> int:
        chance = self._chance
        if profile.uniform_us and not reply:
            return chance.below(profile.uniform_us + 1, "uniform", *where)
        if reply and chance.hit(profile.reply_hold, "hold", *where):
            bound = 1 + chance.below(2_000, "hold bound", *where)
            return 1_000 * (200 + chance.below(bound, "hold time", *where))
        return 0

    def _arrive(self, source: int, target: int, content: bytes) -> None:
        link = self._links[source, target]
        receiver = self._receivers.get(target)
        if link.blocks or receiver is None:
            return
        link.traffic.delivered += 1
        self._timeline.note(content)
        receiver(source, content)


def _damaged(content: bytes, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)
