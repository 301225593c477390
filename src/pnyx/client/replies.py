"""What an error reply means for the command it answers: elsewhere, again, in doubt, or an error."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import hiredis

from pnyx.client.errors import AnswerLost, AuthError, CrossSlot, Refused
from pnyx.client.url import Address
from pnyx.errors import PnyxError
from pnyx.transport.verdict import UNREADABLE, Heard, heard_in


@dataclass(frozen=True, slots=True)
class Moved:
    """Nothing was done here; that node serves the slot."""

    slot: int
    address: Address


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing was done; it may be tried again a little later."""

    text: str
    no_quorum: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """It may have been done, or may be done later."""

    text: str


@dataclass(frozen=True, slots=True)
class Late:
    """This attempt was not done, and none will be any more; an earlier one may have been."""

    text: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """Refused, before anybody looked whether an earlier attempt was done."""

    error: PnyxError


Meaning: TypeAlias = Moved | Again | Doubt | Late | Unseen | PnyxError

_ANSWER_LOST: Final = "ERR PX0213 "
TOO_LONG: Final = f"{UNREADABLE}: invalid bulk length"
_LESS: Final = "write less at once, or let the nodes' `limits.value_bytes_max` be more than 4 MiB"
_ERRORS: Final[dict[str, type[PnyxError]]] = {
    "NOAUTH": AuthError,
    "WRONGPASS": AuthError,
    "NOPERM": AuthError,
    "CROSSSLOT": CrossSlot,
}
_NEXT_STEPS: Final = {
    AuthError: "give the password that the nodes' `requirepass` says: pnyx://:PASSWORD@HOST:PORT",
    CrossSlot: "give the keys one {tag}, for example {order:7}:lines and {order:7}:total",
}


def is_last(reply: Any) -> bool:
    """Is it an error after which a node reads nothing more on that connection?"""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith(UNREADABLE)


def meaning(text: str, asked: Address) -> Meaning:
    """Return what the error `text` of the node at `asked` means."""
    prefix = text.partition(" ")[0]
    if prefix == "MOVED":
        return _moved(text, asked)
    heard = heard_in(text)
    match heard:
        case Heard.LATE:
            return Late(text)
        case Heard.DOUBT:
            return Doubt(text)
        case Heard.NOTHING_DONE:
            return Again(text, no_quorum=prefix == "CLUSTERDOWN")
        case Heard.REFUSED | None:
            pass
    if text.startswith(_ANSWER_LOST):
        return AnswerLost(text, next_step="read what the write left")
    kind = _ERRORS.get(prefix, Refused)
    is_long = text.startswith(TOO_LONG)
    error = kind(text, next_step=_LESS if is_long else _NEXT_STEPS.get(kind, ""))
    return error if heard is None else Unseen(error)


def _moved(text: str, asked: Address) -> Meaning:
    words = text.split(" ")
    host, _, port = words[-1].rpartition(":")
    if len(words) != 3 or not words[1].isdecimal() or not port.isdecimal():
        return Refused(text, cause="it is no redirection that can be followed")
    # An empty host means: where you asked, another port (Redis Cluster specification).
    return Moved(int(words[1]), (host.strip("[]") or asked[0], int(port)))
