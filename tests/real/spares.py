"""A cluster that is whole, and has caught up with itself."""

from pnyx.admin.health import Health, Word
from pnyx.harness.cluster import Cluster


def wait_until_spare(cluster: Cluster, nodes: int) -> Health:
    """Return once it is HEALTHY and may lose so many nodes more.

    HEALTHY counts voters, and one that has just come back may still lack the newest entries.
    """
    return cluster.wait_for(
        lambda seen: seen.word is Word.HEALTHY and seen.may_lose == nodes,
        f"HEALTHY and able to lose {nodes}",
        all_must_run=True,
    )
