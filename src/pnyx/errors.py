"""Everything pnyx can refuse with an exception, sorted by who can do something about it.

Fix the request:  ``SettingsWrong``       what the operator wrote cannot be meant
                  ``LimitExceeded``       the request is larger than a named limit
                  ``HistoryUnreadable``   a file of client operations cannot be judged
                  ``Unlisted``            nothing of that name is known
                  ``OtherVersion``        that run belongs to other code
Call for help:    ``WrongDirectory``      this data belongs to another node or cluster
                  ``DiskFailed``          a write or sync failed; the node stops with status 74
                  ``NoRoom``              the disk is full; the node waits for room
                  ``LostDisk``            the disk broke its promise; the replica is given up
                  ``NodeRetired``         this node was removed or replaced; it stops

Outcomes that a consensus core expects are values (consensus/ready.py), not exceptions. An
impossible state is none of these: it is an ``assert``, because the only right answer to our own
bug is to stop before it is written down.
"""


class PnyxError(Exception):
    """Base of every error pnyx raises on purpose: a code, the effect, the cause, the next step."""

    code = "PX0001"
    lacks_quorum = False
    """Were too few nodes there to decide? They may be later."""

    def __init__(self, effect: str, *, cause: str = "", next_step: str = "") -> None:
        super().__init__(effect)
        self.effect = effect
        self.cause = cause
        self.next_step = next_step
        # What a traceback shows below the effect.
        for note in self._details():
            self.add_note(note)

    def explain(self) -> str:
        """Return the error as the command line prints it, without a trailing newline."""
        return "\n".join([f"error[{self.code}] {self.effect}", *self._details()])

    def _details(self) -> list[str]:
        told = (("cause", self.cause), ("next", self.next_step))
        return [f"  {what:<7} {text}" for what, text in told if text]


class SettingsWrong(PnyxError):
    """The settings cannot be used. Nothing was started or written."""

    code = "PX0101"


class AddressTaken(PnyxError):
    """Another process listens there. Nothing was started."""

    code = "PX0102"


class WrongDirectory(PnyxError):
    """The data directory belongs to another node, cluster or process. Nothing was written."""

    code = "PX0103"


class FormationStopped(PnyxError):
    """The nodes disagree about who forms the cluster. Nothing was acknowledged."""

    code = "PX0104"


class NodeRetired(PnyxError):
    """The node was removed or replaced. It took part in nothing since; its id never comes back."""

    code = "PX0105"


class LimitExceeded(PnyxError):
    """The request is larger than a named limit. It did nothing."""

    code = "PX0201"


class Unlisted(PnyxError):
    """Nothing of that name is known: a scenario, a mutant, a goal. Nothing was done."""

    code = "PX0502"


class OtherVersion(PnyxError):
    """A run of other code cannot be played again: it would be another run. Nothing was done."""

    code = "PX0503"


class HistoryUnreadable(PnyxError):
    """The history cannot be judged, and there is no verdict; the line is named."""

    code = "PX0501"


class DiskFailed(PnyxError):
    """A write or sync failed. Nothing that depended on it was acknowledged; the node stops."""

    code = "PX0301"


class NoRoom(DiskFailed):
    """The disk is full. Nothing was written and nothing is lost; it is tried again."""

    code = "PX0303"


class LostDisk(PnyxError):
    """Durable bytes are gone or wrong. Nothing was overwritten; this id never votes again."""

    code = "PX0302"
