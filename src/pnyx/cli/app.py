"""Every command by name; the module behind a name is loaded when it is typed."""

import sys
import traceback
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

from pnyx import __version__
from pnyx.errors import DiskFailed, PnyxError, SettingsWrong

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NO_QUORUM: Final = 4
NOT_FOUND: Final = 5
DISK_FAILED: Final = 74
INTERRUPTED: Final = 130

app = App(
    name="pnyx",
    help="A replicated, durable key-value store for Redis clients.",
    help_epilogue="Every command takes --debug: a failure then shows its stack trace, too.",
    version=__version__,
    version_flags=["--version"],
    default_parameter=None,
)
app.command("pnyx.cli.demo.command:demo", name="demo")
app.command("pnyx.cli.server:init", name="init")
app.command("pnyx.cli.server:server", name="server")
app.command("pnyx.cli.keys:get", name="get")
app.command("pnyx.cli.keys:put", name="put")
app.command("pnyx.cli.keys:append", name="append")
app.command("pnyx.cli.keys:delete", name="del")
app.command("pnyx.cli.keys:scan", name="scan")
app.command("pnyx.cli.status:status", name="status")
app.command("pnyx.cli.status:health", name="health")
app.command("pnyx.cli.log:log", name="log")
app.command("pnyx.cli.config:config", name="config")
app.command("pnyx.cli.bench:bench", name="bench")


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
            f"error[PX0001] a bug in pnyx: {type(error).__name__}: {error}\n"
            "  next    run it again with --debug and report the trace"
        )
        return FAILED
    return status if isinstance(status, int) else OK


def _status_of(error: PnyxError) -> int:
    match error:
        case SettingsWrong():
            return USAGE
        case DiskFailed():
            return DISK_FAILED
        case _:
            return FAILED


def _complain(text: str) -> None:
    sys.stdout.flush()
    print(text, file=sys.stderr)
