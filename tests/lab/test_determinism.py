"""Is a run a function of its seed? In fresh processes, whatever Python's hash seed is."""

import os
import subprocess
import sys

SEEDS = 50
SAFETY_US = 1_500_000
PROGRAM = """
import sys
from pnyx.lab.judge import watched
from pnyx.lab.swarm import draw
if sys.argv[1] == "canary":
    from pnyx.lab.workload import Clients
    think = Clients._think_us
    names = [f"client {number}" for number in range(8)]
    Clients._think_us = lambda self, client: think(self, client) + list(set(names)).index(names[0])
for seed in range(int(sys.argv[2])):
    print(seed, watched(draw(seed, safety_us=int(sys.argv[3]))).hash)
"""


def hashes(kind: str, hash_seed: int, count: int) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    words = [sys.executable, "-c", PROGRAM, kind, str(count), str(SAFETY_US)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_fifty_seeds_give_the_same_bytes_under_two_hash_seeds() -> None:
    first = hashes("product", 1, SEEDS)
    assert len({line.split()[1] for line in first}) == SEEDS
    assert hashes("product", 2, SEEDS) == first


def test_the_order_of_a_set_would_be_noticed() -> None:
    """The canary: what it sings of must show in the hash."""
    assert hashes("canary", 1, 5) != hashes("canary", 2, 5)
