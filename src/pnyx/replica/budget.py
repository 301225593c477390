"""How many bytes may be copied to a group, of all its moves together, in a time."""

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """Each copy that was made pushes back when the next one may begin."""

    bytes_s: int
    """0: no limit."""
    _free_us: int = 0

    def has_room(self, now_ms: int) -> bool:
        """May more be copied now?"""
        return now_ms * 1000 >= self._free_us

    def take(self, size: int, now_ms: int) -> None:
        """So many bytes were copied."""
        if self.bytes_s:
            self._free_us = max(self._free_us, now_ms * 1000) + size * 1_000_000 // self.bytes_s

    @property
    def free_ms(self) -> int:
        """When there is room again."""
        return -(-self._free_us // 1000)
