"""Calls on their way: what goes where, what each answer means, when to try again, when to give up.

No socket and no clock: a face (blocking or asyncio) sends the `parcels`, tells what came of each,
and waits as long as `pause_s` says. Everything that is decided is decided here, once for all faces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import hiredis
import msgspec

from pnyx.client.command import Command
from pnyx.client.errors import AuthError, NoQuorum, SessionExpired, Timeout, Unavailable
from pnyx.client.replies import Again, Doubt, Late, Meaning, Moved, Unseen, is_last, meaning
from pnyx.client.routes import Routes
from pnyx.client.url import Address
from pnyx.client.wire import packed, packed_number
from pnyx.errors import PnyxError
from pnyx.transport.backoff import Backoff
from pnyx.transport.numbering import Number
from pnyx.transport.verdict import Heard, Trail

HURRIES_MAX: Final = 3
"""How often a redirection or a silent node is answered by asking the next at once."""
NO_QUORUM_S: Final = 1.6
"""A node without a quorum says so within this: it parks a request for 1.5 s."""


@dataclass(slots=True)
class Call:
    """One command until its result is known."""

    command: Command
    trail: Trail
    number: Number | None = None
    """Its number in a session, in which it may be repeated."""
    result: Any = None
    error: PnyxError | None = None
    is_over: bool = False
    cause: str = "no node was reached"
    was_heard: bool = False
    """Did any node answer, if only to refuse?"""
    no_quorum: bool = False

    @classmethod
    def failed(cls, command: Command, error: PnyxError) -> Self:
        """Return the call of a command that was not sent."""
        call = cls(command, Trail(command.writes, in_session=False))
        call.fail(error)
        return call

    def finish(self, reply: Any) -> None:
        """Note the answer."""
        shape = self.command.shape
        self.result = reply if shape is None else shape(reply)
        self.is_over = True

    def outcome(self) -> Any:
        """Return the result, or raise the error, of a call that is over."""
        if self.error is not None:
            raise self.error
        return self.result

    def fail(self, error: PnyxError) -> None:
        """Note that there will be no answer."""
        self.error = error
        self.is_over = True


class Parcel(msgspec.Struct, frozen=True):
    """What goes to one node in one piece."""

    address: Address
    calls: Sequence[Call]
    payload: bytes
    reply_count: int


_HAS_NONE: Final = "ERR AUTH "
"""How a node begins that was given a password and has none."""
_ANY_AGE: Final = packed(("PNYX.STALE",))


@dataclass(slots=True)
class Errand:
    """Some calls that leave together; those that go unanswered leave again."""

    calls: Sequence[Call]
    routes: Routes
    backoff: Backoff
    ends_s: float
    """When the caller's patience ends, on the face's monotonic clock."""
    ack: Callable[[Number], int]
    """What the session of a number may acknowledge now."""
    _hurries: int = 0
    _must_wait: bool = False

    def parcels(self, now_s: float) -> list[Parcel]:
        """Return what to send now, at most one parcel a node."""
        routes = self.routes
        by_address: dict[Address, list[Call]] = {}
        for call in self.calls:
            if not call.is_over:
                command = call.command
                if command.is_stale:
                    address = routes.any_address(now_s)
                else:
                    address = routes.address_of(command.slot, now_s, is_local=command.is_local)
                by_address.setdefault(address, []).append(call)
        return [self._parcel(address, calls) for address, calls in by_address.items()]

    def answered(self, parcel: Parcel, replies: Sequence[Any]) -> None:
        """Note the replies to a parcel, all of them."""
        self.routes.heard(parcel.address)
        at = 0
        for call in parcel.calls:
            count = call.command.reply_count
            reply = call.command.answer(replies[at : at + count])
            at += count
            if isinstance(reply, hiredis.ReplyError):
                self._on_error(call, str(reply), meaning(str(reply), parcel.address))
            else:
                call.finish(reply)

    def refused(self, parcel: Parcel, text: str) -> None:
        """Note that a node would not even talk to us, in these words: no answer to any call."""
        what = meaning(text, parcel.address)
        if text.startswith(_HAS_NONE):
            what = AuthError(text, next_step="leave the password out: the nodes have none")
        for call in parcel.calls:
            self._on_error(call, text, Unseen(what) if isinstance(what, PnyxError) else what)

    def broke(
        self, parcel: Parcel, replies: Sequence[Any], cause: str, now_s: float, *, has_left: bool
    ) -> None:
        """Note that a parcel was not answered beyond `replies`; `has_left`: bytes of it may have.

        A command whose replies came in part only counts as not answered. But a node answers in
        order: where it says that it reads no more, it has not read what does something in that
        command (its last word), nor those behind it.
        """
        last_words = str(replies[-1]) if replies and is_last(replies[-1]) else None
        if last_words is None:
            self.routes.failed(parcel.address, now_s)
        at, answered = 0, []
        for call in parcel.calls:
            if at + call.command.reply_count > len(replies):
                break
            at += call.command.reply_count
            answered.append(call)
        if answered:
            self.answered(Parcel(parcel.address, answered, b"", at), replies)
        unanswered = parcel.calls[len(answered) :]
        if last_words is not None and at < len(replies):
            self._on_error(unanswered[0], last_words, meaning(last_words, parcel.address))
            unanswered = unanswered[1:]
        heard = Heard.DOUBT if has_left and last_words is None else Heard.NOTHING_DONE
        for call in unanswered:
            host, port = parcel.address
            call.cause = f"{host}:{port}: {cause}"
            self._again(call, heard)
        self._hurries += 1

    def pause_s(self, now_s: float) -> float | None:
        """Return how long to wait before sending what is left; None: all calls are over."""
        waiting = [call for call in self.calls if not call.is_over]
        if not waiting:
            return None
        pause_s = 0.0
        if self._must_wait or self._hurries > HURRIES_MAX:
            pause_s = self.backoff.wait_ms(quick=True) / 1000
        self._must_wait = False
        left_s = self.ends_s - now_s - pause_s
        for call in waiting:
            if left_s <= _least_s(call):
                call.fail(_too_late(call))
        return None if all(call.is_over for call in waiting) else pause_s

    def _parcel(self, address: Address, calls: list[Call]) -> Parcel:
        payload = b"".join([call.command.payload(self._prefix(call)) for call in calls])
        return Parcel(address, calls, payload, sum([call.command.reply_count for call in calls]))

    def _prefix(self, call: Call) -> bytes:
        number = call.number
        if number is None:
            return _ANY_AGE if call.command.is_stale else b""
        return packed_number(number, self.ack(number))

    def _on_error(self, call: Call, text: str, what: Meaning) -> None:
        call.was_heard = True
        match what:
            case Moved(slot, to):
                self.routes.moved(slot, to)
                self._hurries += 1
                call.cause = text
                self._again(call, Heard.NOTHING_DONE)
            case Again(no_quorum=no_quorum):
                call.no_quorum = no_quorum
                self.routes.doubted()
                call.cause = text
                self._must_wait = True
                self._again(call, Heard.NOTHING_DONE)
            case Doubt():
                call.cause = text
                self._must_wait = True
                self._again(call, Heard.DOUBT)
            case Late():
                call.fail(_expired(call, text))
            case Unseen(error) if call.trail.ends_with(Heard.REFUSED):
                call.fail(error)
            case Unseen():
                call.cause = text
                self._must_wait = True
                self._again(call, Heard.REFUSED)
            case _:
                call.fail(what)

    def _again(self, call: Call, heard: Heard) -> None:
        call.trail.heard(heard)
        if not call.trail.may_repeat:
            call.fail(_too_late(call))


def numbered(
    piece: Sequence[Command], numbers: Sequence[Number] | None
) -> tuple[list[Call], Sequence[Command]]:
    """Return calls for the first of the commands, as far as the numbers go, and the rest.

    Without `numbers` no command has one.
    """
    calls: list[Call] = []
    given = 0
    for command in piece:
        number = None
        if numbers is not None and command.is_once:
            if given == len(numbers):
                return calls, piece[len(calls) :]
            number = numbers[given]
            given += 1
        calls.append(Call(command, Trail(command.writes, number is not None), number))
    return calls, ()


def _least_s(call: Call) -> float:
    """Return how much time another attempt wants.

    A write that is known not to be done stays so: an attempt that is cut short would be in doubt.
    """
    is_sure = call.no_quorum and call.trail.changes and not call.trail.is_doubtful
    return NO_QUORUM_S if is_sure else 0.0


def _expired(call: Call, text: str) -> PnyxError:
    name = call.command.name
    is_known = call.trail.outcome == "not_applied"
    return SessionExpired(
        f"{name} was not done before its deadline"
        if is_known
        else f"it is not known whether {name} was done before its deadline",
        outcome=call.trail.outcome,
        cause=text,
        next_step="do it again" if is_known else "read the key before you do it again",
    )


def _too_late(call: Call) -> PnyxError:
    name = call.command.name
    if call.trail.is_doubtful:
        return Timeout(
            f"it is not known whether {name} was done: it may have been, or may be later",
            outcome="unknown",
            cause=call.cause,
            next_step="read the key before you do it again",
        )
    next_step = "try again; `pnyx health` shows which nodes are up"
    if call.no_quorum:
        return NoQuorum(f"{name} was not done: no quorum", cause=call.cause, next_step=next_step)
    if not call.was_heard:
        return Unavailable(
            f"{name} was not done: no node answered", cause=call.cause, next_step=next_step
        )
    return Timeout(
        f"{name} was not done in time",
        outcome="not_applied",
        cause=call.cause,
        next_step=next_step,
    )
