"""The program that one node process runs, whoever starts it: `pnyx server`, the demo, a test.

    python -m pnyx.harness.serve SETTINGS.toml [--set KEY=VALUE]... [--until-input-ends]

Exit statuses: 0 after a drain, 1 could not start or go on, 2 unusable settings, 74 the disk failed.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import structlog
import uvloop

from pnyx.errors import DiskFailed, NodeRetired, NoRoom, PnyxError, SettingsWrong
from pnyx.gateway.server import Gateway
from pnyx.node.disk import Disk, open_disk
from pnyx.node.http import Page
from pnyx.node.logger import set_up
from pnyx.node.node import Node
from pnyx.node.settings import Settings
from pnyx.node.sources import load
from pnyx.storage.watch import SPACE_CHECK_MS

STOPPED: Final = 0
FAILED: Final = 1
UNUSABLE: Final = 2
DISK_FAILED: Final = 74
"""EX_IOERR of sysexits.h: supervisors may tell it from a mistake and not restart at once."""

GC_THRESHOLDS: Final = (50_000, 50, 1_000)
"""Requests make no cycles; scanning for them at Python's default pace costs a tenth of the CPU."""

_log = structlog.get_logger("pnyx.serve")


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run the node that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m pnyx.harness.serve", allow_abbrev=False)
    parser.add_argument("settings", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--until-input-ends", action="store_true")
    asked = parser.parse_args(words)
    try:
        settings = load(asked.settings, environ=os.environ, flags=overrides(asked.set))
    except PnyxError as error:
        sys.stderr.write(error.explain() + "\n")
        sys.exit(UNUSABLE)
    run(settings, until_input_ends=asked.until_input_ends)


def overrides(pairs: Sequence[str]) -> dict[str, str]:
    """Return the KEY=VALUE words as a mapping.

    Raises:
        SettingsWrong: a word has no equals sign.
    """
    chosen: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SettingsWrong(
                f"--set {pair} cannot be used",
                cause="it has no equals sign",
                next_step="write --set KEY=VALUE, for example --set raft.heartbeat_ms=100",
            )
        chosen[key] = value
    return chosen


def run(settings: Settings, *, until_input_ends: bool = False) -> NoReturn:
    """Run one node until SIGTERM, SIGINT or its failure, then end this process.

    With `until_input_ends` the end of standard input is a reason to drain, too: whoever holds the
    other end of the pipe may die by any signal and leaves no node behind.
    """
    if not __debug__:
        sys.stderr.write("pnyx does not run under python -O: its assertions guard the data\n")
        sys.exit(UNUSABLE)
    _prepare_process(settings)
    uvloop.run(_to_the_end(settings, until_input_ends=until_input_ends))
    raise AssertionError("a node ends inside its loop, by `_end`")


async def _to_the_end(settings: Settings, *, until_input_ends: bool) -> None:
    """Live, and end the process from inside the loop, whose own end waits for every thread."""
    try:
        await _live(settings, until_input_ends=until_input_ends)
    except DiskFailed as error:
        # No clean-up first: a sync that hangs must not keep a node alive that cannot promise
        # anything, and whoever supervises it is to know within a second.
        _end(DISK_FAILED, error)
    except PnyxError as error:
        _end(FAILED, error)
    except Exception:
        # For a person to read: a trace inside a one-line event is of no use to anybody.
        traceback.print_exc()
        _log.error("a bug in pnyx stopped this node")
        _end(FAILED, None)
    _end(STOPPED, None)


async def _live(settings: Settings, *, until_input_ends: bool) -> None:
    loop = asyncio.get_running_loop()
    stop_wanted = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_wanted.set)
    if until_input_ends:
        loop.add_reader(sys.stdin.fileno(), stop_wanted.set)
    disk = await _opened(settings, stop_wanted)
    if disk is None:
        return
    node = Node(settings, disk)
    gateway, page = Gateway(node), Page(node)
    failure = asyncio.create_task(node.failed())
    # The page first: whoever waits for this node learns from it what it waits for.
    await page.start()
    await node.start()
    await gateway.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    _log.info("serving", node=settings.name, pid=os.getpid())
    stop = asyncio.create_task(stop_wanted.wait())
    await asyncio.wait({failure, stop}, return_when=asyncio.FIRST_COMPLETED)
    reason = failure.result() if failure.done() else None
    if reason is not None and not isinstance(reason, NodeRetired):
        raise reason
    failure.cancel()
    _log.info("draining", node=settings.name)
    try:
        async with asyncio.timeout(settings.drain_ms / 1_000):
            await gateway.stop()
            await node.stop()
            await page.stop()
    except TimeoutError:
        # Nothing that was acknowledged depends on the rest of the drain.
        _log.warning("drain took too long", drain_ms=settings.drain_ms)
    if reason is not None:
        raise reason


async def _opened(settings: Settings, stop_wanted: asyncio.Event) -> Disk | None:
    """Open the data directory, as soon as its disk has room; None if told to stop meanwhile."""
    waits = False
    while not stop_wanted.is_set():
        try:
            return await asyncio.to_thread(open_disk, settings)
        except NoRoom as error:
            if not waits:
                _log.warning("no room to start: it waits", effect=error.effect, why=error.cause)
            waits = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop_wanted.wait(), SPACE_CHECK_MS / 1_000)
    return None


def _prepare_process(settings: Settings) -> None:
    # Files and sockets made from here on are the owner's alone.
    os.umask(0o077)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    set_up(settings.events)


def _end(status: int, error: PnyxError | None) -> NoReturn:
    """End at once: a worker thread may hang in a system call and would hold up `sys.exit`."""
    if error is not None:
        sys.stderr.write(error.explain() + "\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
