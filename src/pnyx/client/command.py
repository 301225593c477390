"""One command on its way: its words, where it belongs, and what its reply means."""

from collections.abc import Callable
from typing import Any

from pnyx.client.wire import Value, Words, packed, raw_of
from pnyx.ids import Slot
from pnyx.machine.slots import slot_of

Shape = Callable[[Any], Any]


class Command:
    """What a client wants, and the slot that its keys share; None: any node will do."""

    __slots__ = ("reply_count", "shape", "slot", "words", "writes")

    def __init__(
        self, words: Words, key: Value | None, *, writes: bool, shape: Shape | None = None
    ) -> None:
        self.words = words
        self.slot: Slot | None = None if key is None else slot_of(raw_of(key))
        self.writes = writes
        self.shape = shape
        """What makes the method's result out of the reply; None: the reply is it."""
        self.reply_count = 1

    def payload(self, prefix: bytes) -> bytes:
        """Return the bytes to send, with `prefix` before the word that does something.

        Raises:
            TypeError: a word is no key, value or argument.
        """
        return prefix + packed(self.words)

    def answer(self, replies: list[Any]) -> Any:
        """Return the reply that counts."""
        return replies[0]
