"""Which code this is: a replay of other code would be another run."""

from functools import cache
from hashlib import blake2b
from pathlib import Path

import pnyx


@cache
def code_hash() -> str:
    """Return 8 hexadecimal digits of all of this package's source."""
    root = Path(pnyx.__file__).parent
    digest = blake2b(digest_size=4)
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
