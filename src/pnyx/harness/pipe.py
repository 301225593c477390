"""One direction of one connection through the fault proxy: bytes in, what is left of them out.

The rules of this file:

1. Bytes that arrive are those that were sent, in order, but for the bits that were flipped on
   purpose. A pipe that swallowed bytes has a hole and passes nothing after it, ever.
2. What is wrong is looked up for every piece, so that a fault begins, and ends, in the middle of a
   connection.
3. A pipe holds at most HELD_PIECES_MAX pieces of PIECE_BYTES_MAX; then it stops reading, and the
   sender feels it.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from pnyx.prng import Prng

PIECE_BYTES_MAX: Final = 16 * 1024
HELD_PIECES_MAX: Final = 256
"""4 MiB at most."""
TURN_S: Final = 0.05
"""How often a waiting pipe looks whether the fault is still there, and a slow one sends."""


@dataclass(slots=True)
class Way:
    """What is wrong with the bytes from one node to another. The fields' defaults: nothing."""

    delay_ms: float = 0.0
    """How long every piece is on its way, at least."""
    jitter_ms: int = 0
    """Up to so much longer, drawn anew for every piece; no piece overtakes another."""
    bytes_per_s: int | None = None
    flip_every_bytes: int | None = None
    """On average: distances are uniform between one byte and twice this."""
    silent: bool = False
    """Bytes and the ends of connections vanish; connections stay up."""

    @property
    def delays(self) -> bool:
        """Return whether anything is held back on purpose."""
        return self.delay_ms + self.jitter_ms > 0


@dataclass(slots=True)
class Passed:
    """What a proxy did so far."""

    connections: int = 0
    connections_reset: int = 0
    bytes_passed: int = 0
    bytes_swallowed: int = 0
    bits_flipped: int = 0


class Pipe:
    """Reads from one socket, writes to another."""

    def __init__(
        self,
        way: Way,
        passed: Passed,
        prng: Prng,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Begin nothing yet; `prng` is this pipe's own, so that its draws hang on its bytes alone.

        Connections through one way share `way`, and all of a proxy share `passed`.
        """
        self.has_hole = False
        """Bytes are missing: the connection can never be whole again."""
        self._way = way
        self._passed = passed
        self._prng = prng
        self._reader = reader
        self._writer = writer
        self._held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD_PIECES_MAX)
        self._to_flip: int | None = None
        """So many bytes until one gets a bit flipped; None: not drawn yet."""

    async def run(self) -> None:
        """Pass bytes on until the sending side ends.

        Raises:
            OSError: one of the two sockets broke.
        """
        async with asyncio.TaskGroup() as both:
            both.create_task(self._take())
            both.create_task(self._give())

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        piece = b"-"
        while piece:
            way = self._way
            try:
                piece = await self._reader.read(PIECE_BYTES_MAX)
            except OSError:
                if not self._vanishes():
                    raise
                piece = b""
            extra_ms = self._prng.below(way.jitter_ms + 1, "jitter") if way.jitter_ms else 0
            await self._held.put((loop.time() + (way.delay_ms + extra_ms) / 1_000, piece))

    async def _give(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s, piece = await self._held.get()
            # What is held back leaves at once when the delay is lifted.
            while (early_s := due_s - loop.time()) > 0 and self._way.delays:  # noqa: ASYNC110
                await asyncio.sleep(min(early_s, TURN_S))
            if not piece:
                if self._vanishes():
                    # The other side goes on to believe that the sender is there.
                    self.has_hole = True
                else:
                    self._writer.write_eof()
                return
            while piece and not self._vanishes():
                piece = await self._send_some(piece)
            self._passed.bytes_swallowed += len(piece)
            self.has_hole = self.has_hole or bool(piece)

    def _vanishes(self) -> bool:
        return self.has_hole or self._way.silent

    async def _send_some(self, piece: bytes) -> bytes:
        """Send as much of `piece` as may leave in this turn; return the rest."""
        rate = self._way.bytes_per_s
        size = len(piece) if rate is None else max(1, int(rate * TURN_S))
        sent = self._flipped(piece[:size])
        # Counted before: whoever has received it finds it counted.
        self._passed.bytes_passed += len(sent)
        self._writer.write(sent)
        await self._writer.drain()
        if rate is not None:
            await asyncio.sleep(len(sent) / rate)
        return piece[size:]

    def _flipped(self, piece: bytes) -> bytes:
        every = self._way.flip_every_bytes
        if every is None:
            self._to_flip = None
            return piece
        hurt = bytearray(piece)
        at = -1
        while True:
            if self._to_flip is None:
                self._to_flip = 1 + self._prng.below(2 * every, "flip")
            if at + self._to_flip >= len(hurt):
                self._to_flip -= len(hurt) - 1 - at
                return bytes(hurt)
            at += self._to_flip
            self._to_flip = None
            hurt[at] ^= 1 << self._prng.below(8, "bit")
            self._passed.bits_flipped += 1
