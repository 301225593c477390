"""The world of a lesson: hosts on the Lab's timeline, luck and network, and what was seen."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pnyx.lab.chance import Chance
from pnyx.lab.lessons.host import Host
from pnyx.lab.lessons.judge import Judge
from pnyx.lab.lessons.node import Maker, Parcel
from pnyx.lab.network import RELIABLE, Network, Profile
from pnyx.lab.timeline import Timeline

STORY_LINES: Final = 60
"""So much of what happened last is told when something breaks."""
CLIENTS_FROM: Final = 101
"""Places from here on are clients'."""
LINE_CHARACTERS: Final = 150
UNRELIABLE: Final = Profile(loss=0.1, uniform_us=2_000, reorder=True)
"""The old Paxos labs: one in ten connections ends before the request is read; links of those labs
are sockets of one machine, so what arrives is a little late at most."""
ANSWER_LOSS: Final = 1 / 9
"""On top, of answers, over links that lose: one in five is lost in all."""


class Wire(msgspec.Struct, frozen=True, array_like=True):
    """What is on a link: a message, and whether it answers one."""

    content: bytes
    is_answer: bool


@dataclass(frozen=True, slots=True)
class Language:
    """The messages of a protocol."""

    types: Any
    """A union of tagged structs."""
    inner: Callable[[Any], Any] = lambda message: message
    """Return what is named and told of a message: itself, or what it carries."""
    words: Callable[[Any], str] = repr
    """Return it as a person reads it."""


class LessonWorld:
    """One seed, one order of events."""

    def __init__(
        self, seed: int, hosts: int, make: Maker, language: Language, judge: Judge
    ) -> None:
        """Make hosts 1 to `hosts`, all down."""
        self.timeline = Timeline(seed)
        self.chance = Chance(seed)
        self.network = Network(self.timeline, self.chance)
        self.make = make
        self.judge = judge
        self.on_line: Callable[[str], None] | None = None
        """Told of every line as it comes."""
        self._story: deque[tuple[int, int, str, Any]] = deque(maxlen=STORY_LINES)
        """What happened last: microseconds, place, words, and what was heard."""
        self._answers = 0
        self._language = language
        self._decoder = msgspec.msgpack.Decoder(language.types)
        self.hosts = {number: Host(number, self) for number in range(1, hosts + 1)}

    def partition(self, sides: Sequence[Sequence[int]]) -> None:
        """Let hosts hear only who is on their side; who is on none hears nobody."""
        self.heal()
        side_of = {number: place for place, side in enumerate(sides) for number in side}
        for a in self.hosts:
            for b in self.hosts:
                if a != b and side_of.get(a, -a) != side_of.get(b, -b):
                    self.network.block(a, b)
        self.tell(0, f"partition {' | '.join(str(list(side)) for side in sides)}")

    def heal(self) -> None:
        """Mend every link."""
        self.network.heal()

    def worsen(self, profile: Profile) -> None:
        """Let links behave like that from now on; `RELIABLE` mends them."""
        self.network.profile = profile
        self.tell(0, "links are reliable" if profile is RELIABLE else "links lose and delay")

    def post(self, source: int, parcel: Parcel) -> None:
        """Send a parcel over the network."""
        if parcel.is_answer and self.network.profile.loss:
            self._answers += 1
            if self.chance.hit(ANSWER_LOSS, "answer", source, parcel.to, self._answers):
                return
        content = msgspec.msgpack.encode(parcel.message)
        wire = msgspec.msgpack.encode(Wire(content, parcel.is_answer))
        self.network.send(source, parcel.to, wire, reply=parcel.is_answer)

    def opened(self, source: int, content: bytes) -> Parcel:
        """Return what arrived, as a parcel whose `to` is where it came from."""
        wire = msgspec.msgpack.decode(content, type=Wire)
        return Parcel(source, self._decoder.decode(wire.content), wire.is_answer)

    def name_of(self, message: Any) -> str:
        """Return the name of a message's type."""
        return type(self._language.inner(message)).__name__

    def place_of(self, place: int) -> str:
        """Return who is there, as it is told."""
        return f"n{place}" if place in self.hosts else f"client {place - CLIENTS_FROM}"

    def tell(self, place: int, words: str, message: Any = None) -> None:
        """Remember what happened; it becomes text only if somebody reads it."""
        self._story.append((self.timeline.now_us, place, words, message))
        if self.on_line is not None:
            self.on_line(self._line(*self._story[-1]))

    def lines(self) -> tuple[str, ...]:
        """Return the last of what happened, oldest first."""
        return tuple(self._line(*each) for each in self._story)

    def _line(self, at_us: int, place: int, words: str, message: Any) -> str:
        who = f"n{place} " if place else ""
        if message is not None:
            words = f"{words} {self._language.words(self._language.inner(message))}"
        line = f"{at_us / 1e6:9.4f} s  {who}{words}"
        return line if len(line) <= LINE_CHARACTERS else f"{line[: LINE_CHARACTERS - 3]}..."
