"""Named limits of one replica; the settings say them in the operator's words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaLimits:
    """How long requests wait and how much of anything is kept."""

    park_ms: int = 1_500
    """How long a request may wait for a leader before it is refused."""
    parked_bytes: int = 16 * 1024 * 1024
    outcome_ms: int = 3_000
    """How long the outcome of a proposal may stay open before its waiters are told: unknown."""
    batch_bytes: int = 1024 * 1024
    """Requests beyond this go into the next entry; a single larger request still gets one."""
    gather_ms: int = 0
    """At most so long after a commit a batch waits for those that were just answered; 0: never."""
    value_bytes: int = 4 * 1024 * 1024
    flush_log_bytes: int = 16 * 1024 * 1024
    """Flush the space when so many applied bytes of log are not durable in it."""
    compact_log_bytes: int = 64 * 1024 * 1024
    """Compact the log when it holds more."""
    tail_log_bytes: int = 32 * 1024 * 1024
    """What compaction keeps for followers that are a little behind."""
    catchup_log_bytes: int = 256 * 1024 * 1024
    """Compaction waits for a peer that is being sent a snapshot, until the log holds this much."""
    snapshot_chunk_bytes: int = 256 * 1024
    """Keys and values of a snapshot's chunk: so few that reading and packing one takes 2 ms."""
    round_ms: int = 600
    """A learner has caught up when it gets within this time, twice, all that the log held."""
    catch_up_ms: int = 60_000
    """How long a promotion waits for that."""
    replace_silent_ms: int = 30_000
    """A node whose label another node claims is replaced once it was silent for so long."""
