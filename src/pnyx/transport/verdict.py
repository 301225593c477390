"""What a client may say of a command whose attempts were not all answered.

Rule 1: "not applied" is said only if no attempt can have been done, now or later.
Rule 2: one doubtful attempt makes the outcome unknown, whatever the attempts after it hear: the
first may still be on its way. Only an answer out of the session's records ends the doubt. A node
that refuses before it looks there ("nothing was done") speaks of that one attempt: the deadline
that was too far ahead, the table that was full, may be all right when the first one arrives.
Rule 3: outside a session nothing doubtful is sent again, for then it could be done twice.

The client library and the Lab's clients ask these same rules. What an error reply proves is read
off its first words (`heard_in`): they are the nodes' promise.
"""

from enum import Enum
from typing import Final, Literal, TypeAlias

import msgspec

Outcome: TypeAlias = Literal["unknown", "not_applied"]


class Heard(Enum):
    """What one attempt came to, if not to an answer."""

    NOTHING_DONE = "nothing_done"
    """It never left, or it was refused before anything was appended, and never will be done."""
    DOUBT = "doubt"
    """It may have been done, or may be done later."""
    LATE = "late"
    """This attempt was not done, and none will be any more; an earlier one may have been."""
    REFUSED = "refused"
    """This attempt was refused, and nobody has looked whether an earlier one was done."""


_AGAIN: Final = frozenset(
    {"MOVED", "CLUSTERDOWN", "TRYAGAIN", "LOADING", "MASTERDOWN", "MISCONF", "READONLY"}
)
_TOO_MANY: Final = "ERR max number of clients"
_LATE: Final = ("UNKNOWN PX0206 ", "UNKNOWN PX0207 ")
_REFUSED: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM", "CROSSSLOT"})
UNREADABLE: Final = "ERR Protocol error"
"""A node that says this reads no more on that connection."""
_REFUSED_TEXTS: Final = ("ERR PX02", "ERR unknown command", UNREADABLE)
_NOT_KEPT: Final = "ERR PX0213 "
"""The one error with a number that the session's records give: it was done, once."""


def heard_in(text: str) -> Heard | None:
    """Return what the error `text` of a node proves; None: it is the answer to the command."""
    prefix = text.partition(" ")[0]
    if prefix == "UNKNOWN":
        return Heard.LATE if text.startswith(_LATE) else Heard.DOUBT
    if prefix in _AGAIN or text.startswith(_TOO_MANY):
        return Heard.NOTHING_DONE
    is_refused = prefix in _REFUSED or text.startswith(_REFUSED_TEXTS)
    return Heard.REFUSED if is_refused and not text.startswith(_NOT_KEPT) else None


class Trail(msgspec.Struct, gc=False):
    """What is known of one command that is not answered yet."""

    changes: bool
    """Does it write? A read leaves nothing behind and may always be repeated."""
    in_session: bool
    """Does it carry a session's number, so that a repetition gets the first one's answer?"""
    is_doubtful: bool = False

    def heard(self, heard: Heard) -> None:
        """Note what an attempt came to."""
        if heard is Heard.DOUBT and self.changes:
            self.is_doubtful = True

    def ends_with(self, heard: Heard) -> bool:
        """Is nothing more to be learned by another attempt after one that came to this?"""
        return heard is Heard.LATE or (heard is Heard.REFUSED and not self.is_doubtful)

    @property
    def may_repeat(self) -> bool:
        """May another attempt be made without a chance of two effects?"""
        return self.in_session or not self.is_doubtful

    @property
    def outcome(self) -> Outcome:
        """What may be said if no attempt follows."""
        return "unknown" if self.is_doubtful else "not_applied"
