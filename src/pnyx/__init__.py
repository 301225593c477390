"""pnyx: a replicated key-value store for Redis clients, and the Lab that proves it."""

from typing import Final

__version__: Final = "0.1.0"
