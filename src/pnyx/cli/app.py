"""Every command by name; the module behind a name is loaded when it is typed."""

import sys
import traceback
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

from pnyx import __version__
from pnyx.cli.statuses import DISK_FAILED, FAILED, INTERRUPTED, NO_QUORUM, OK, USAGE
from pnyx.errors import DiskFailed, HistoryUnreadable, OtherVersion, PnyxError, SettingsWrong

EXTRAS: Final = {"redis": "redis", "distributed": "lab"}
"""Packages that some commands import and pnyx alone does not bring, and the extra that does."""

app = App(
    name="pnyx",
    help="A replicated, durable key-value store for Redis clients.",
    help_epilogue="Every command takes --debug: a failure then shows its stack trace, too.",
    version=__version__,
    version_flags=["--version"],
    default_parameter=None,
)
COMMANDS: Final = (
    (
        "demo",
        "pnyx.cli.demo.command:demo",
        "Run a cluster of real nodes on this machine, or do something to the running one.",
    ),
    (
        "init",
        "pnyx.cli.server:init",
        "Write a settings file for each node of a new cluster: DIR/n1.toml and so on.",
    ),
    (
        "server",
        "pnyx.cli.server:server",
        "Run one node in the foreground until SIGTERM; status 74 if its disk fails.",
    ),
    ("get", "pnyx.cli.keys:get", "Print the value of a key; exit status 5 if there is none."),
    (
        "put",
        "pnyx.cli.keys:put",
        "Set a key; returns once a majority holds the value on disk.",
    ),
    (
        "append",
        "pnyx.cli.keys:append",
        "Append to the value of a key and print its new length in bytes.",
    ),
    (
        "incr",
        "pnyx.cli.keys:incr",
        "Add to the integer that a value is and print the new one.",
    ),
    (
        "cas",
        "pnyx.cli.keys:cas",
        "Set a key if it is still at a revision; print the new one, exit status 5 if it is not.",
    ),
    (
        "del",
        "pnyx.cli.keys:delete",
        "Delete keys and print how many there were; exit status 5 if none.",
    ),
    ("scan", "pnyx.cli.keys:scan", "Print the keys that match a glob pattern, in no order."),
    (
        "fs",
        "pnyx.cli.fs.command:fs",
        "Keep files in the cluster: list, write, read, move and check them.",
    ),
    (
        "status",
        "pnyx.cli.status:status",
        "Show every node of a cluster; exit status 0, 3 or 4 as `pnyx health`.",
    ),
    (
        "health",
        "pnyx.cli.status:health",
        "Say how the cluster is; exit status 0 healthy, 3 degraded, 4 no quorum.",
    ),
    (
        "node",
        "pnyx.cli.node.command:node",
        "Look at the nodes of a running cluster, add and remove them.",
    ),
    (
        "group",
        "pnyx.cli.shards.command:group",
        "Look at groups, let them join and leave, choose who leads them.",
    ),
    (
        "shards",
        "pnyx.cli.shards.command:shards",
        "Look at which group has which shard, and move them.",
    ),
    (
        "log",
        "pnyx.cli.log:log",
        "Read a node's write-ahead log; nothing is changed, the node may be running.",
    ),
    ("config", "pnyx.cli.config:config", "Read settings files; nothing is started."),
    (
        "lab",
        "pnyx.cli.lab.command:lab",
        "Run the product's own code in a simulated world, break it, and judge it.",
    ),
    (
        "bench",
        "pnyx.cli.bench:bench",
        "Measure this checkout beside redis-server and etcd, in turns, in about ten minutes."
        "\n\nIt takes all cores. Only ratios taken in one run count.",
    ),
)
"""Name, where it is, and its help; `pnyx --help` has its first sentence and loads none of them."""

for _name, _place, _help in COMMANDS:
    app.command(_place, name=_name, help=_help)


@app.command
def version() -> int:
    """Print the version."""
    print(__version__)
    return OK


def run(words: Sequence[str]) -> int:
    """Carry out one command line and return its exit status."""
    debug = "--debug" in words
    rest = [word for word in words if word != "--debug"]
    try:
        status = app(
            rest,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        _complain(f"error: {error}\n  next    pnyx --help shows the commands and their options")
        return USAGE
    except PnyxError as error:
        if debug:
            traceback.print_exc()
        _complain(error.explain())
        return _status_of(error)
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return OK
    except Exception as error:
        if debug:
            raise
        _complain(
            _lacking(error)
            or f"error[PX0001] a bug in pnyx: {type(error).__name__}: {error}\n"
            "  next    run it again with --debug and report the trace"
        )
        return FAILED
    return status if isinstance(status, int) else OK


def _status_of(error: PnyxError) -> int:
    match error:
        case SettingsWrong() | HistoryUnreadable() | OtherVersion():
            return USAGE
        case DiskFailed():
            return DISK_FAILED
        case PnyxError(lacks_quorum=True):
            return NO_QUORUM
        case _:
            return FAILED


def _lacking(error: Exception) -> str:
    """Return what to say if a package of an extra is missing, or nothing."""
    # cyclopts hides what stopped it from loading a command's module behind an ImportError.
    cause = error.__cause__ if type(error) is ImportError else error
    package = cause.name if isinstance(cause, ModuleNotFoundError) else None
    if package not in EXTRAS:
        return ""
    return PnyxError(
        f"nothing was done: the package {package} is not installed",
        next_step=f"pip install 'pnyx[{EXTRAS[package]}]'",
    ).explain()


def _complain(text: str) -> None:
    sys.stdout.flush()
    print(text, file=sys.stderr)
