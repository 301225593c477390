"""How a command ends: every exit status of `pnyx`, each with one meaning."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
"""Also input that cannot be read or used."""
DEGRADED: Final = 3
NO_QUORUM: Final = 4
NOT_FOUND: Final = 5
VIOLATED: Final = 6
"""The Lab found that something is broken, or missed a planted bug."""
UNDECIDED: Final = 7
DISK_FAILED: Final = 74
INTERRUPTED: Final = 130
