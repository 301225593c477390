"""A look at every file and chunk of a cluster: what is damaged, unfinished or left over.

Nothing is changed unless asked: `repair` finishes moves that a crash interrupted and counts anew
what is taken, `collect` lets orphans go (orphans.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from pnyx.client.blocking import Pnyx
from pnyx.client.files.errors import ChunkDamaged, ChunkMissing, FormatNewer
from pnyx.client.files.formats import Kind, Manifest
from pnyx.client.files.names import CHUNK_PREFIX, ROOT, chunk_of
from pnyx.client.files.orphans import collect
from pnyx.client.files.quota import Usage
from pnyx.client.files.store import Store
from pnyx.client.runner import Runner


@dataclass(slots=True)
class Findings:
    """What there is, and what is wrong with it."""

    directories: int = 0
    files: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    """A sentence each: chunks missing or wrong."""
    unfinished: list[str] = field(default_factory=list)
    """Moves whose source is still there; finished with `repair`."""
    usage: Usage | None = None
    """What was thought to be taken, if that is not what is."""
    orphans: int = 0
    """Files' worth of chunks that no manifest names."""
    collected: int = 0


class Check:
    """One look at all files."""

    def __init__(self, runner: Runner, told: Callable[[str], None] = lambda _path: None) -> None:
        """Get ready; `told` hears of each directory before it is looked at."""
        self._runner = runner
        self._store = Store(runner)
        self._told = told
        self._chunks: dict[bytes, list[int]] = {}
        self._named: dict[bytes, str] = {}
        self._moved: list[tuple[str, Manifest]] = []
        self._found = Findings()

    def run(
        self, *, deep: bool = False, repair: bool = False, collect_orphans: bool = False
    ) -> Findings:
        """Look at everything and return what was found.

        Args:
            deep: read every chunk and compare its checksum.
            repair: finish interrupted moves, and count anew what is taken (not while files are
                being written: those would be forgotten).
            collect_orphans: delete chunks that were unnamed an hour ago, too.

        Raises:
            Unsettled: a directory changed too fast to be listed.
            ChunkDamaged, FormatNewer: a manifest cannot be read; nothing was collected.
        """
        found = self._found
        now_ms = self._store.clock_ms()
        # Chunks before manifests: what is named later than it was seen is never taken for orphaned.
        for key in Pnyx(self._runner).scan_iter(CHUNK_PREFIX + b"*"):
            place = chunk_of(key)
            if place is not None:
                self._chunks.setdefault(place[0], []).append(place[1])
        self._walk(deep=deep)
        # After the walk, so that each source was counted and can be taken off.
        self._look_at_moves(repair=repair)
        unnamed = self._chunks.keys() - self._named.keys()
        found.orphans = len(unnamed)
        if collect_orphans:
            found.collected, _ = collect(self._runner, self._chunks, unnamed, now_ms)
        usage, counted = self._store.quotas.usage(), Usage(found.bytes, found.files)
        if usage != counted:
            found.usage = usage
            if repair:
                self._store.quotas.correct(counted)
        return found

    def _walk(self, *, deep: bool) -> None:
        waiting = [ROOT]
        while waiting:
            directory = waiting.pop()
            self._told(directory)
            self._found.directories += 1
            entries = self._store.directories.settled_entries(directory)
            for path, manifest in sorted(entries):
                if manifest.kind is Kind.DIRECTORY:
                    waiting.append(path)
                else:
                    self._look(path, manifest, deep=deep)

    def _look(self, path: str, manifest: Manifest, *, deep: bool) -> None:
        found = self._found
        damaged_before = len(found.damaged)
        found.files += 1
        found.bytes += manifest.size
        self._named[manifest.id] = path
        total = manifest.chunk_count
        there = len(set(self._chunks.get(manifest.id, ())) & set(range(total)))
        if there < total:
            # Perhaps written after the chunks were looked for, or replaced since.
            there = self._store.chunks.count(manifest.id, total)
        if there < total and self._store.directories.entry(path) == manifest:
            found.damaged.append(f"{path}: {total - there} of its {total} chunks are gone")
        elif deep:
            self._read(path, manifest)
        # A damaged copy is no reason to remove what it was made of.
        if manifest.moved_from is not None and len(found.damaged) == damaged_before:
            self._moved.append((path, manifest))

    def _read(self, path: str, manifest: Manifest) -> None:
        try:
            for _ in self._store.chunks.read(manifest.id, 0, manifest.chunk_count, path):
                pass
        except (ChunkDamaged, ChunkMissing, FormatNewer) as error:
            if self._store.directories.entry(path) == manifest:
                self._found.damaged.append(str(error))

    def _look_at_moves(self, *, repair: bool) -> None:
        for path, manifest in self._moved:
            assert manifest.moved_from is not None, "so it was remembered"
            if self._store.directories.entry(path) != manifest:
                continue
            source, source_id = manifest.moved_from
            there = self._store.directories.entry(source)
            is_there = there is not None and there.id == source_id
            if is_there:
                self._found.unfinished.append(
                    f"{path}: was moved from {source}, which is still there"
                )
            if repair:
                self._store.finish_move(path, manifest.moved_from)
            if repair and is_there:
                self._found.files -= 1
                self._found.bytes -= manifest.size
