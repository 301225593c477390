"""One command on its way: its words, where it belongs, and what its reply means."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hiredis

from pnyx.client.wire import Value, Words, packed, raw_of
from pnyx.ids import Slot
from pnyx.machine.slots import slot_of

Shape = Callable[[Any], Any]


class Command:
    """What a client wants, and the slot that its keys share; None: any node will do."""

    __slots__ = ("is_local", "is_stale", "reply_count", "shape", "slot", "words", "writes")

    def __init__(
        self,
        words: Words,
        key: Value | None,
        *,
        writes: bool,
        shape: Shape | None = None,
        stale: bool = False,
    ) -> None:
        self.words = words
        self.slot: Slot | None = None if key is None else slot_of(raw_of(key))
        self.writes = writes
        self.shape = shape
        """What makes the method's result out of the reply; None: the reply is it."""
        self.is_stale = stale
        """A read that any node may answer from what it has, however old."""
        self.is_local = False
        """Only who serves `slot` can answer: another node would speak of the slots it serves."""
        self.reply_count = 1

    @property
    def name(self) -> str:
        """What errors call it."""
        return raw_of(self.words[0]).decode(errors="replace")

    @property
    def is_once(self) -> bool:
        """Is it a write that a session can have done once? Its record lies with its keys."""
        return self.writes and self.slot is not None

    def payload(self, prefix: bytes) -> bytes:
        """Return the bytes to send, with `prefix` before the word that does something.

        Raises:
            TypeError: a word is no key, value or argument.
        """
        return packed(self.words, prefix)

    def answer(self, replies: Sequence[Any]) -> Any:
        """Return the reply that counts."""
        return replies[0]


class Exec(Command):
    """A transaction: commands whose keys share a slot, done at once if watched keys are as seen.

    It carries the revisions that were seen, so it may leave on any connection, and again.
    """

    __slots__ = ("_start",)

    def __init__(
        self, queued: Sequence[Command], watched: Mapping[bytes, int], slot: Slot | None
    ) -> None:
        super().__init__(("EXEC",), None, writes=any(one.writes for one in queued))
        self.slot = slot
        lines: list[Words] = [("PNYX.WATCH", key, watched[key]) for key in watched]
        lines += [("MULTI",), *(one.words for one in queued)]
        self._start = b"".join(map(packed, lines))
        self.reply_count = len(lines) + 1

    def payload(self, prefix: bytes) -> bytes:
        """Return the bytes to send, with `prefix` before EXEC."""
        return packed(self.words, self._start + prefix)

    def answer(self, replies: Sequence[Any]) -> Any:
        """Return EXEC's reply, or the error because of which there was nothing to do."""
        last = replies[-1]
        if isinstance(last, hiredis.ReplyError) and str(last).startswith("EXECABORT"):
            return next(one for one in replies if isinstance(one, hiredis.ReplyError))
        return last
