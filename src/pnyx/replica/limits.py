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


@dataclass(frozen=True, slots=True)
class MigrationLimits:
    """How fast shards come to one group, and how patient both ends are."""

    moves: int = 4
    """How many shards are copied at a time; those that wait for somebody are not counted."""
    rate_bytes_s: int = 0
    """Of rows copied to one group, all its moves together; 0: as fast as it goes."""
    chunk_bytes: int = 256 * 1024
    """So few, `ROW_BYTES` for each row included, that to read or put a chunk takes a few ms."""
    under_way_bytes: int = 2 * 1024 * 1024
    """Of chunks and changes of one move that are proposed and not yet committed."""
    chunks_a_look: int = 4
    """Rows are copied so many chunks at a time; between them the change log is looked at."""
    freeze_bytes: int = 128 * 1024
    """A shard is frozen when a look finds no more changes than these, `ROW_BYTES` for each
    included: some two hundred, so that to do them takes a few ms."""
    freeze_looks: int = 8
    """After so many looks that found more, twice as much is allowed: else a shard that is written
    faster than that would never get away."""
    forget_bytes: int = 16 * 1024 * 1024
    """The source may drop its change log each time that so much of it is committed here."""
    patience_ms: int = 10_000
    """A request that has no answer after this is made again; answers come sooner than that."""
    retry_ms: int = 50
    """The first pause after something did not go well; it doubles up to the next one."""
    retry_ms_max: int = 2_000
    look_ms: int = 100
    """How often the shards under way are looked at if nothing happens."""
    frozen_ms: int = 3_000
    """After this a source asks the destination's log what became of a frozen shard."""
    unnoticed_ms: int = 1_500
    """A shard that is frozen for less than this is said to be served: requests wait as long."""
    unwanted_ms: int = 5_000
    """A move to a group that is no longer the shard's target is aborted if it takes longer."""
