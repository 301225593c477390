"""The program that starts several nodes at the price of one: it imports once, then forks.

    python -m pnyx.harness.nursery n1.toml n2.toml ...

Importing is most of a node's start, a second of CPU. Each node is a process and a session of its
own, writes to the file beside its settings that ends in .log, and drains at the end of the input
that it shares with the others. Their ids are printed in order; then this program ends.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

from pnyx.errors import PnyxError
from pnyx.harness.serve import UNUSABLE, run
from pnyx.node.sources import load


def main() -> None:
    """Fork a node for every settings file named."""
    for word in sys.argv[1:]:
        path = Path(word)
        pid = os.fork()
        if pid == 0:
            _become(path)
        sys.stdout.write(f"{pid}\n")
        # Before the next fork: what is in the buffer would be printed by every child.
        sys.stdout.flush()


def _become(path: Path) -> NoReturn:
    os.setsid()
    log = os.open(path.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    try:
        settings = load(path, environ=os.environ)
    except PnyxError as error:
        sys.stderr.write(error.explain() + "\n")
        sys.stderr.flush()
        os._exit(UNUSABLE)
    run(settings, until_input_ends=True)


if __name__ == "__main__":
    main()
