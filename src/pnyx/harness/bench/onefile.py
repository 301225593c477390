"""One large file written and read by a process that has loaded nothing but the client."""

import os
import resource
import sys
import time
from typing import Final

from pnyx.client.blocking import connect

PIECE_BYTES: Final = 1024 * 1024


def measure(nodes: str, size: int) -> None:
    """Print bytes a second written and read, and the peak of resident memory in bytes."""
    with connect(f"pnyx://{nodes}", timeout_s=60) as opened:
        piece = os.urandom(PIECE_BYTES)
        began_s = time.monotonic()
        with opened.fs.open("/bench", "wb") as file:
            for _ in range(size // PIECE_BYTES):
                file.write(piece)
        written_s = time.monotonic() - began_s
        began_s = time.monotonic()
        with opened.fs.open("/bench", "rb") as file:
            while file.read(PIECE_BYTES):
                pass
        read_s = time.monotonic() - began_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(f"{size / written_s} {size / read_s} {peak}\n")


if __name__ == "__main__":
    measure(sys.argv[1], int(sys.argv[2]))
