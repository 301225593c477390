"""The last requests that took long, for SLOWLOG: a ring with limits, secrets blotted out."""

from collections import deque
from dataclasses import dataclass
from typing import Final

WORDS_MAX: Final = 32
WORD_BYTES_MAX: Final = 128
"""Redis' own limits of what an event keeps of a command."""

SLOWER_THAN_MICROS: Final = 100_000
"""Redis has 10,000 and times the command alone; here the disk and a majority are part of it."""


@dataclass(frozen=True, slots=True)
class SlowEvent:
    """One request: all commands of one run share its time, so the run's first words stand here."""

    id: int
    at_seconds: int
    micros: int
    words: tuple[bytes, ...]
    address: str
    name: bytes


class SlowLog:
    """Newest first, at most `length_max` events."""

    def __init__(self) -> None:
        self.slower_than_micros = SLOWER_THAN_MICROS
        """Requests that take longer are kept; negative keeps none."""
        self.length_max = 128
        self._events: deque[SlowEvent] = deque()
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._events)

    def newest(self, count: int) -> list[SlowEvent]:
        """Return up to `count` events, all of them if it is -1."""
        events = list(self._events)
        return events if count < 0 else events[:count]

    def note(
        self, micros: int, words: list[bytes], at_seconds: int, address: str, name: bytes
    ) -> None:
        """Keep a request that took `micros`, shortened as Redis does."""
        kept = [_shortened(word) for word in without_secrets(words)[:WORDS_MAX]]
        if len(words) > WORDS_MAX:
            kept[-1] = b"... (%d more arguments)" % (len(words) - WORDS_MAX + 1)
        event = SlowEvent(self._next_id, at_seconds, micros, tuple(kept), address, name)
        self._next_id += 1
        self._events.appendleft(event)
        self.trim()

    def trim(self) -> None:
        """Drop the oldest beyond the limit."""
        while len(self._events) > self.length_max:
            self._events.pop()

    def reset(self) -> None:
        """Forget all events; their ids are not used again."""
        self._events.clear()


def without_secrets(words: list[bytes]) -> list[bytes]:
    """Return the words with passwords replaced (T13): safe for logs and lists."""
    name = words[0].upper()
    if name == b"AUTH":
        return [words[0], *[b"(redacted)"] * (len(words) - 1)]
    if name == b"HELLO" and len(words) > 2:
        return [*words[:2], *[b"(redacted)"] * (len(words) - 2)]
    if name == b"CONFIG" and len(words) > 2 and words[1].upper() == b"SET":
        secret = False
        shown = list(words[:2])
        for at, word in enumerate(words[2:]):
            shown.append(b"(redacted)" if at % 2 and secret else word)
            secret = at % 2 == 0 and word.lower() in {b"requirepass", b"masterauth"}
        return shown
    return words


def _shortened(word: bytes) -> bytes:
    if len(word) <= WORD_BYTES_MAX:
        return word
    return word[:WORD_BYTES_MAX] + b"... (%d more bytes)" % (len(word) - WORD_BYTES_MAX)
