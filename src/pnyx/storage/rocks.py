"""The ordered map of bytes on disk: RocksDB with its own log switched off.

The write-ahead log is what is durable, so RocksDB keeps none: a crash loses the newest writes,
always a suffix of them and each as a whole, and they are applied again from the log. Memory is
bounded by the named sizes below. RocksDB never blocks a write: its stalls are out of reach, and
whoever writes asks `is_behind` and waits where waiting is harmless.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompressionType,
    Options,
    Rdict,
    RdictIter,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from pnyx.errors import DiskFailed, LostDisk, NoRoom, PnyxError
from pnyx.machine.space import View
from pnyx.storage.directory import free_bytes
from pnyx.storage.garbage import GARBAGE_SHARE_LOW, Garbage
from pnyx.storage.recent import UNKNOWN, RecentRows

MEMTABLE_BYTES: Final = 4 * 1024 * 1024
"""One table of unflushed writes. It is a skip list: in a larger one the way to a row leads through
memory that is in no cache of the processor."""
MEMTABLES_FLUSHED: Final = 4
"""So many become one file, as large as if they had been one table. Some six are usual ..."""
MEMTABLE_COUNT_MAX: Final = 24
"""... and more only while a flush is slow."""
MEMTABLE_BLOOM_SHARE: Final = 0.02
"""Of a table's bytes: some 30 bits a row, so that a look-up passes the tables without it."""
CACHE_BYTES: Final = 64 * 1024 * 1024
"""Blocks, indexes and filters read from disk."""
OPEN_FILES_MAX: Final = 512
BLOOM_BITS: Final = 10
"""A key; one get in a hundred for a missing key reads a block in vain."""
BACKGROUND_JOBS: Final = 2
BLOB_BYTES: Final = 4 * 1024
"""A row of this size lies apart, in a blob file: to move it along with every compaction costs more
than a second read when it is asked for."""
COMPACTION_DEBT_BYTES: Final = 1024 * 1024 * 1024
"""With more than this waiting for compaction, writes should wait too."""
HELD_TABLE_BYTES: Final = 64 * 1024 * 1024
"""So large a table may grow while the disk has no room to flush it; the log's room ends before."""
FLUSH_SLACK_BYTES: Final = 1024 * 1024
"""A flush needs room for what is not flushed, and this for the tables' indexes and the manifest."""

_OUT_OF_REACH: Final = 1 << 30
_LEVEL_BYTES: Final = 64 * 1024 * 1024
_TABLE_BYTES: Final = 16 * 1024 * 1024
_JOURNAL_BYTES: Final = 1024 * 1024
_BLOB_PROPERTY: Final = "rocksdb.live-blob-file-size"
_GARBAGE_PROPERTY: Final = "rocksdb.live-blob-file-garbage-size"
_COLLECTS: Final = "enable_blob_garbage_collection"
_AGE_SHARE: Final = "blob_garbage_collection_age_cutoff"
_DEBT_PROPERTY: Final = "rocksdb.estimate-pending-compaction-bytes"
_UNFLUSHED_PROPERTY: Final = "rocksdb.cur-size-all-mem-tables"


class RocksSpace:
    """A database of one column family."""

    def __init__(self, path: Path) -> None:
        """Open the database in `path`, making it if it is not there.

        Raises:
            LostDisk: it is damaged; nothing was changed.
            NoRoom: the disk is full; it may be opened again.
            DiskFailed: it cannot be read or written.
        """
        self._path = path
        try:
            self._database = Rdict(str(path), _options())
        except Exception as error:
            raise _storage_error(path, error) from error
        written = WriteOptions()
        # Declared as a method in the package's stubs; it is an attribute.
        setattr(written, "disable_wal", True)  # noqa: B010
        self._database.set_write_options(written)
        self._written = written
        self._garbage = Garbage()
        self._holds = False
        """May the table of unflushed writes be larger, for there is no room to flush it?"""
        self._get = self._database.get
        self._recent = RecentRows()

    def get(self, key: bytes) -> bytes | None:
        recent = self._recent
        value = recent.young.get(key, UNKNOWN)
        if value is not UNKNOWN:
            return value
        value = recent.old.get(key, UNKNOWN)
        if value is UNKNOWN:
            try:
                value = self._get(key)
            except Exception as error:
                raise _storage_error(self._path, error) from error
        recent.read(key, value)
        return value

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield rows of ``start <= key < stop``, ascending, as they were at this call."""
        if start >= stop:
            return iter(())
        bounds = ReadOptions()
        bounds.set_iterate_upper_bound(stop)
        rows = self._database.iter(bounds)
        rows.seek(start)
        return _rows(self._path, rows, bounds)

    def write(
        self, rows: Mapping[bytes, bytes | None], drops: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """Atomically delete the ranges `drops`, then put `rows` (None deletes)."""
        batch = WriteBatch(raw_mode=True)
        for start, stop in drops:
            if start < stop:
                batch.delete_range(start, stop)
                self._recent.clear()
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch[key] = value
        size = batch.size_in_bytes()
        try:
            self._database.write(batch, self._written)
        except Exception as error:
            raise _storage_error(self._path, error) from error
        self._recent.written(rows, size)

    def view(self) -> View:
        return _RocksView(self._path, self._database.iter())

    def flush(self) -> None:
        """Return when everything written before this call is durable. Safe in a worker thread.

        Raises:
            NoRoom: it is not durable, and is as readable as before; to be tried again.
            DiskFailed: the disk failed otherwise.
        """
        try:
            self._require_room()
            self._database.flush(wait=True)
            self._tend_garbage()
        except Exception as error:
            raise _storage_error(self._path, error) from error

    def _require_room(self) -> None:
        # A flush that is not tried leaves the database writable. After one that fails RocksDB
        # refuses writes until it finds, every 5 s, room for a table of unflushed ones.
        unflushed = self._database.property_int_value(_UNFLUSHED_PROPERTY) or 0
        free = free_bytes(self._path)
        holds = free < unflushed + FLUSH_SLACK_BYTES
        if holds != self._holds:
            self._holds = holds
            self._set_table_bytes(HELD_TABLE_BYTES if holds else MEMTABLE_BYTES)
        if holds:
            raise _no_room(self._path, f"{free} bytes are free, {unflushed} are to be flushed")

    def _set_table_bytes(self, size: int) -> None:
        # Else RocksDB flushes a full table by itself, and refuses writes when that fails.
        try:
            self._database.set_options({"write_buffer_size": str(size)})
        except Exception as error:
            # It holds from now on; that it is not written down for the next start is welcome.
            if not isinstance(_storage_error(self._path, error), NoRoom):
                raise

    def _tend_garbage(self) -> None:
        blobs = self._database.property_int_value(_BLOB_PROPERTY) or 0
        garbage = self._database.property_int_value(_GARBAGE_PROPERTY) or 0
        if self._garbage.flushed(blobs, garbage):
            share = self._garbage.age_share
            collects = str(share > 0.0).lower()
            self._database.set_options({_COLLECTS: collects, _AGE_SHARE: str(share)})

    def is_behind(self) -> bool:
        """Should writes wait for compaction? Cheap enough to ask once a batch of thousands."""
        debt = self._database.property_int_value(_DEBT_PROPERTY)
        return (debt or 0) > COMPACTION_DEBT_BYTES

    def close(self) -> None:
        """Flush, if there is room, and close. No view or scan may be in use."""
        try:
            self._database.close()
        except Exception as error:
            failure = _storage_error(self._path, error)
            # What was not flushed is applied again from the log.
            if not isinstance(failure, NoRoom):
                raise failure from error


class _RocksView:
    """One iterator, which sees the database as it was when it was made.

    Not rocksdict's `Snapshot`: in 0.3.29 its iterators ignore the snapshot and show later writes.
    """

    def __init__(self, path: Path, rows: RdictIter) -> None:
        self._path = path
        self._rows: RdictIter | None = rows
        self._moves = 0
        """Seeks so far: a scan that finds another number was overtaken and must seek again."""

    def get(self, key: bytes) -> bytes | None:
        row = next(self.scan(key, key + b"\0"), None)
        return None if row is None else row[1]

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        moves = -1
        while True:
            rows = self._rows
            assert rows is not None, "a view is not read after it was closed"
            if moves != self._moves:
                self._moves += 1
                moves = self._moves
                rows.seek(start)
            if not rows.valid():
                _require_end(self._path, rows)
                return
            key = rows.key()
            if key >= stop:
                return
            # The next key of an ordered map of bytes, should another scan move the iterator.
            start = key + b"\0"
            value = rows.value()
            rows.next()
            yield key, value

    def close(self) -> None:
        self._rows = None


def _rows(path: Path, rows: RdictIter, _bounds: ReadOptions) -> Iterator[tuple[bytes, bytes]]:
    # In rocksdict 0.3.29 the iterator looks at its bound where `_bounds` keeps it. Were they not
    # held here, that memory would be used again, and the iterator would run past its end.
    while rows.valid():
        yield rows.key(), rows.value()
        rows.next()
    _require_end(path, rows)


def _require_end(path: Path, rows: RdictIter) -> None:
    """Damage ends an iteration just as the last row does; only the status tells them apart."""
    try:
        rows.status()
    except Exception as error:
        raise _storage_error(path, error) from error


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_paranoid_checks(True)
    options.set_write_buffer_size(MEMTABLE_BYTES)
    options.set_max_write_buffer_number(MEMTABLE_COUNT_MAX)
    options.set_min_write_buffer_number_to_merge(MEMTABLES_FLUSHED)
    options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_SHARE)
    options.set_memtable_whole_key_filtering(True)
    options.set_max_background_jobs(BACKGROUND_JOBS)
    options.set_max_open_files(OPEN_FILES_MAX)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_target_file_size_base(_TABLE_BYTES)
    options.set_max_bytes_for_level_base(_LEVEL_BYTES)
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_bytes_per_sync(_JOURNAL_BYTES)
    options.set_level_zero_slowdown_writes_trigger(_OUT_OF_REACH)
    options.set_level_zero_stop_writes_trigger(_OUT_OF_REACH)
    options.set_soft_pending_compaction_bytes_limit(0)
    options.set_hard_pending_compaction_bytes_limit(0)
    options.set_enable_blob_files(True)
    options.set_min_blob_size(BLOB_BYTES)
    options.set_blob_file_size(_LEVEL_BYTES)
    # Switched on by `_tend_garbage`: then a compaction writes what lives in the oldest files anew.
    options.set_enable_blob_gc(False)
    options.set_blob_gc_force_threshold(GARBAGE_SHARE_LOW)
    # An idle node wakes up for nothing: no statistics, and a small journal of RocksDB's own.
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    options.set_max_log_file_size(_JOURNAL_BYTES)
    options.set_keep_log_file_num(2)
    tables = BlockBasedOptions()
    tables.set_block_cache(Cache(CACHE_BYTES))
    tables.set_cache_index_and_filter_blocks(True)
    tables.set_pin_l0_filter_and_index_blocks_in_cache(True)
    tables.set_bloom_filter(BLOOM_BITS, False)
    options.set_block_based_table_factory(tables)
    return options


def _storage_error(path: Path, error: Exception) -> Exception:
    """Return what an exception of RocksDB means to a node."""
    if isinstance(error, DbClosedError | PnyxError):
        return error
    text = str(error)
    # RocksDB reports a file that should be there as an I/O error; to us it is gone.
    if "Corruption" in text or "No such file" in text:
        return LostDisk(
            f"the database in {path} is damaged",
            cause=text,
            next_step="move the node's data directory away and start it with an empty one: "
            "it joins again under a new identity",
        )
    if "No space left on device" in text:
        return _no_room(path, text)
    return DiskFailed(
        f"the database in {path} cannot be used",
        cause=text,
        next_step="check the disk and its free space, then start the node again; "
        "nothing that was acknowledged is lost",
    )


def _no_room(path: Path, cause: str) -> NoRoom:
    return NoRoom(
        f"the disk of the database in {path} is full",
        cause=cause,
        next_step="make room on the disk, then start the node again if it has ended; "
        "nothing that was acknowledged is lost",
    )
