"""Who watches a lesson: sees everything, changes nothing, raises `Violation`."""

from typing import TYPE_CHECKING

from pnyx.lab.lessons.node import Effects, Parcel

if TYPE_CHECKING:
    from pnyx.lab.lessons.host import Host
    from pnyx.lab.lessons.world import LessonWorld


class Judge:
    """Overrides what it wants to know."""

    world: "LessonWorld"

    def begin(self, world: "LessonWorld") -> None:
        """Judge this world; nothing runs yet."""
        self.world = world

    def started(self, host: "Host") -> None:
        """`host` has a node now, from what its disk holds."""

    def ended(self, host: "Host") -> None:
        """Its node is gone."""

    def asked(self, host: "Host", effects: Effects) -> None:
        """Its node wants this."""

    def durable(self, host: "Host", effects: Effects) -> None:
        """The rows of these effects are on its disk; its node does not know it yet."""

    def sending(self, host: "Host", parcel: Parcel) -> None:
        """A parcel leaves now."""

    def touched(self, host: "Host") -> None:
        """An event at `host` is over."""

    def finish(self) -> None:
        """The run is over."""


class Judges(Judge):
    """Several, told in order."""

    def __init__(self, *judges: Judge) -> None:
        self.judges = judges

    def begin(self, world: "LessonWorld") -> None:
        """Let all of them see the world."""
        for judge in self.judges:
            judge.begin(world)

    def started(self, host: "Host") -> None:
        """Tell all."""
        for judge in self.judges:
            judge.started(host)

    def ended(self, host: "Host") -> None:
        """Tell all."""
        for judge in self.judges:
            judge.ended(host)

    def asked(self, host: "Host", effects: Effects) -> None:
        """Tell all."""
        for judge in self.judges:
            judge.asked(host, effects)

    def durable(self, host: "Host", effects: Effects) -> None:
        """Tell all."""
        for judge in self.judges:
            judge.durable(host, effects)

    def sending(self, host: "Host", parcel: Parcel) -> None:
        """Tell all."""
        for judge in self.judges:
            judge.sending(host, parcel)

    def touched(self, host: "Host") -> None:
        """Tell all."""
        for judge in self.judges:
            judge.touched(host)

    def finish(self) -> None:
        """Tell all."""
        for judge in self.judges:
            judge.finish()
