"""What the client library raises, sorted by who can do something about it.

Try again:        ``Unavailable``      no node answered; nothing was done
                  ``NoQuorum``         the nodes that answer are no majority; nothing was done
                  ``Timeout``          too late; its ``outcome`` says whether the write may be there
                  ``WatchError``       a watched key changed; the transaction did nothing
                  ``LockLost``         somebody else may hold the lock
Fix the program:  ``AddressWrong``     the URL cannot be meant
                  ``CrossSlot``        keys that must share a slot do not
                  ``AuthError``        the password is wrong or missing
                  ``AnswerLost``       it was done, but what it answered is not known
                  ``Refused``          the node's own error: a wrong type, an argument, a limit

All are ``PnyxError``; codes and next steps are in docs/reference/errors.md.
"""

from pnyx.errors import PnyxError
from pnyx.transport.verdict import Outcome


class AddressWrong(PnyxError, ValueError):
    """The URL cannot be meant. Nothing was connected."""

    code = "PX0601"


class Unavailable(PnyxError):
    """No node could be reached in time. Nothing was done."""

    code = "PX0602"
    outcome: Outcome = "not_applied"


class NoQuorum(Unavailable):
    """The nodes that answer are no majority. Nothing was done."""

    code = "PX0603"


class Timeout(PnyxError):
    """The answer did not come in time; ``outcome`` says whether a write may have been done.

    ``"not_applied"``: it was not done and never will be. ``"unknown"``: it may have been, or may be
    later; inside a session only once. A read is always "not_applied".
    """

    code = "PX0604"

    def __init__(
        self, effect: str, *, outcome: Outcome, cause: str = "", next_step: str = ""
    ) -> None:
        super().__init__(effect, cause=cause, next_step=next_step)
        self.outcome: Outcome = outcome


class SessionExpired(Timeout):
    """The deadline of a write passed: it will not be done any more; ``outcome`` as of Timeout."""

    code = "PX0608"


class CrossSlot(PnyxError):
    """Keys that must share a slot do not. Nothing was done."""

    code = "PX0605"


class AuthError(PnyxError):
    """The password is wrong or missing. Nothing was done."""

    code = "PX0606"


class Refused(PnyxError):
    """The node refused the command, and it did nothing; the text is its own."""

    code = "PX0607"


class AnswerLost(PnyxError):
    """The write was done, once. Its answer was lost, and is too large to be said again."""

    code = "PX0609"


class WatchError(PnyxError):
    """A watched key changed before the transaction. It did nothing."""

    code = "PX0610"


class LockLost(PnyxError):
    """The lock's time ran out, and somebody else may hold it. Nothing was changed."""

    code = "PX0611"
