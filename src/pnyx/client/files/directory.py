"""One directory: its entries, and how it comes and goes.

What a walk from the root rests on: **every committed entry lies in directories whose entries are
there.** A directory's entry and what lies in it are in different slots, so no transaction spans
both. Between them stands a mark in the directory's own slot: what is committed there is committed
only while there is no mark. Every removal has a mark of its own, a random word:

1. A removal looks at the entry, then writes its mark over whatever is there, then looks whether the
   directory is empty, and then deletes the entry, only as it was at the first look.
2. A mark is deleted only by who has read it, then written the entry anew, and finds it unchanged.
3. A mark dies, an hour later, only after who wrote it has seen the entry gone.

**So while a removal may still delete the entry, its mark or a later one stands:** who let go either
has changed the entry since the removal looked at it, and the removal fails. What is committed comes
in before the mark, and is seen by the look, or it comes in after the directory was made again. A
removal that dies or finds something leaves its mark to the next who writes there, who makes the
directory anew. And the hour is longer than a permit lives: a writer, and who makes a directory,
leaves one beside what is to be there, before looking at the directories above, and commits only
while it is there.
"""

from collections.abc import Iterator
from contextlib import suppress
from secrets import token_bytes
from typing import Final

from pnyx.client import commands
from pnyx.client.collected import Transaction
from pnyx.client.command import Command
from pnyx.client.errors import WatchError
from pnyx.client.files.errors import Unsettled
from pnyx.client.files.formats import ID_BYTES, Kind, Manifest, decode_manifest, encode_manifest
from pnyx.client.files.names import (
    ROOT,
    closed_key,
    directory_tag,
    entry_key,
    joined,
    parent_of,
    permit_key,
    renames_key,
)
from pnyx.client.runner import Runner
from pnyx.errors import PnyxError
from pnyx.ids import Slot
from pnyx.machine.slots import slot_of

PAGE_KEYS: Final = 500
CLOSED_MS: Final = 3_600_000
"""How long the mark of a removed directory stays: longer than any writer may take."""
MARK_BYTES: Final = 16
MAKE_MS_MAX: Final = 1_800_000
"""How long making one directory may take; then it is tried again."""
assert CLOSED_MS > MAKE_MS_MAX, "who was let in before the mark is out when it dies"
LISTINGS_MAX: Final = 10
_POSITION_BITS: Final = 48


class Directories:
    """All directories of a cluster; paths are clean."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    # What is there.

    def entry(self, path: str) -> Manifest | None:
        """Return what is known of a path, None if nothing is there."""
        if path == ROOT:
            return Manifest(Kind.DIRECTORY, 0, 0)
        value = self._runner.one(commands.get(entry_key(path)))
        return None if value is None else decode_manifest(value, path)

    def entries(self, directory: str) -> Iterator[tuple[str, Manifest]]:
        """Yield path and manifest of what lies in a directory, in no order.

        What is there from beginning to end is found; of what is renamed meanwhile one name, both
        or none.
        """
        tag = directory_tag(directory)
        slot = slot_of(tag)
        cursor = slot << _POSITION_BITS
        while cursor >> _POSITION_BITS == slot:
            cursor, keys = self._page(cursor, slot)
            names = [key for key in keys if key.startswith(tag) and b"\0" not in key]
            if not names:
                continue
            values = self._runner.one(commands.mget(*names))
            for key, value in zip(names, values, strict=True):
                if value is not None:
                    path = joined(directory, key.removeprefix(tag).decode())
                    yield path, decode_manifest(value, path)

    def listed_entries(self, directory: str) -> list[tuple[str, Manifest]]:
        """Return the entries as they were while nothing was renamed, or else as `entries` does."""
        return self._listing(directory)[0]

    def settled_entries(self, directory: str) -> list[tuple[str, Manifest]]:
        """Return the entries as they were while nothing in the directory was renamed.

        Raises:
            Unsettled: something was renamed each time.
        """
        found, is_settled = self._listing(directory)
        if not is_settled:
            raise Unsettled(f"{directory} was renamed in {LISTINGS_MAX} times while it was listed")
        return found

    def _listing(self, directory: str) -> tuple[list[tuple[str, Manifest]], bool]:
        """Return the entries, and whether nothing was renamed while they were read."""
        counter = commands.get(renames_key(directory))
        before, found = self._runner.one(counter), list(self.entries(directory))
        for _ in range(LISTINGS_MAX - 1):
            after = self._runner.one(counter)
            if after == before:
                return found, True
            before, found = after, list(self.entries(directory))
        return found, self._runner.one(counter) == before

    def is_empty(self, directory: str) -> bool:
        """Return whether nothing lies in a directory."""
        return next(self.entries(directory), None) is None

    # How it comes and goes.

    def make(self, path: str, clock_ms: int, *, exist_ok: bool) -> None:
        """Make a directory, and those above it.

        Raises:
            FileExistsError: a file lies there, or a directory and `exist_ok` is false.
            NotADirectoryError: a file lies where a directory above it belongs.
        """
        if path == ROOT:
            if not exist_ok:
                raise FileExistsError(path)
            return
        while not self._try_make(path, clock_ms, exist_ok=exist_ok):
            self.ensure(parent_of(path), clock_ms)

    def ensure(self, directory: str, clock_ms: int) -> None:
        """Make a directory and those above it, unless they are there.

        Raises:
            NotADirectoryError: a file lies there.
        """
        if directory == ROOT:
            return
        reads = [commands.get(entry_key(directory)), commands.exists(closed_key(directory))]
        value, is_closed = (call.outcome() for call in self._runner.run(reads))
        if value is not None and decode_manifest(value, directory).kind is not Kind.DIRECTORY:
            raise NotADirectoryError(directory)
        if value is None or is_closed:
            try:
                self.make(directory, clock_ms, exist_ok=True)
            except FileExistsError as error:
                raise NotADirectoryError(directory) from error

    def remove(self, path: str) -> bool:
        """Remove an empty directory; return whether it was empty.

        Raises:
            FileNotFoundError, NotADirectoryError: there is none.
        """
        key = entry_key(path)
        removal = Transaction(self._runner)
        removal.watch(key)
        manifest = self.entry(path)
        if manifest is None:
            raise FileNotFoundError(path)
        if manifest.kind is not Kind.DIRECTORY:
            raise NotADirectoryError(path)
        # Without a mark at first: who only asks whether it is empty is in no writer's way.
        if not self.is_empty(path):
            return False
        mark = token_bytes(MARK_BYTES)
        self._runner.one(commands.set(closed_key(path), mark))
        if not self.is_empty(path):
            return False
        removal.multi()
        removal.delete(key)
        try:
            removal.execute()
        except WatchError:
            if self.entry(path) is not None:
                # Somebody has made it anew: it is theirs.
                return False
            self._let_die(path, mark)
            raise FileNotFoundError(path) from None
        self._let_die(path, mark)
        return True

    def _let_die(self, path: str, mark: bytes) -> None:
        """Let the mark of a directory die, whose entry was seen gone after it was written."""
        # If it fails the mark stays until the directory is made again: a few bytes, and no harm.
        with suppress(PnyxError):
            self._runner.one(commands.set(closed_key(path), mark, px=CLOSED_MS, ifeq=mark))

    def _try_make(self, path: str, clock_ms: int, *, exist_ok: bool) -> bool:
        """Write the entry and take the mark away; False if the directory above may be gone."""
        permit = permit_key(parent_of(path), token_bytes(ID_BYTES))
        self._runner.one(commands.set(permit, b"", px=MAKE_MS_MAX))
        self.ensure(parent_of(path), clock_ms)
        # Before the entry is written: who wrote a later mark may have looked at the new entry, and
        # would delete it although somebody was let in.
        mark = self._runner.one(commands.get(closed_key(path)))
        key, above = entry_key(path), closed_key(parent_of(path))
        making = Transaction(self._runner)
        making.watch(key, above, permit)
        value = making.get(key)
        if making.exists(above) or not making.exists(permit):
            return False
        created_ms = clock_ms
        if value is not None:
            there = decode_manifest(value, path)
            if there.kind is not Kind.DIRECTORY or not exist_ok:
                raise FileExistsError(path)
            created_ms = there.created_ms
        making.multi()
        making.set(key, encode_manifest(Manifest(Kind.DIRECTORY, created_ms, clock_ms)))
        making.delete(permit)
        try:
            making.execute()
        except WatchError:
            return self._try_make(path, clock_ms, exist_ok=exist_ok)
        if mark is not None:
            # If it fails the directory is there all the same, and the next who writes there tries.
            with suppress(PnyxError):
                self._runner.one(commands.delex(closed_key(path), ifeq=mark))
        return True

    def _page(self, cursor: int, slot: Slot) -> tuple[int, list[bytes]]:
        """Return where to go on, and the next keys: of this slot, then of those after it."""
        command = Command(("SCAN", cursor, "COUNT", PAGE_KEYS), None, writes=False)
        command.slot = slot
        following, keys = self._runner.one(command)
        # 0 is the end, and no slot; the first slot begins there.
        return int(following) or -1, keys
