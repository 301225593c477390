"""Which of the 16384 hash slots a key belongs to.

Source: Redis Cluster specification, "Key distribution model" and "Hash tags".
"""

from binascii import crc_hqx
from typing import Final

from pnyx.ids import SLOT_COUNT, Slot

SLOT_SHIFT: Final = 48
"""Bits of a key's position below its slot (machine/rows.py)."""
EVERY_SLOT: Final = ((0, SLOT_COUNT - 1),)
"""As one run, first and last."""

_OPENING: Final = ord("{")
_SLOT_MASK: Final = SLOT_COUNT - 1
assert SLOT_COUNT & _SLOT_MASK == 0, "a mask takes the remainder"


def slot_of(key: bytes) -> Slot:
    """Return the slot of `key`, or of its hash tag: what stands in its first ``{...}``, if any."""
    # An integer: to look for one byte so costs half of what `find` does, and few keys have a tag.
    if _OPENING in key:
        opening = key.find(_OPENING)
        closing = key.find(b"}", opening + 1)
        if closing > opening + 1:
            key = key[opening + 1 : closing]
    # To say `Slot` here costs as much as all the rest, and so does a table of them, which is memory
    # that is in no cache of the processor.
    return crc_hqx(key, 0) & _SLOT_MASK  # type: ignore[return-value]
