"""Which cluster's files a command means, and what its errors are for a shell."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pnyx.cli import running
from pnyx.cli.statuses import NOT_FOUND
from pnyx.client.files.filesystem import NODES_DEFAULT, PnyxFileSystem
from pnyx.errors import PnyxError


class FileTrouble(PnyxError):
    """A file or directory is not what the command needs. Nothing was done."""

    code = "PX0708"


@contextmanager
def files(nodes: str | None, password: str | None) -> Iterator[PnyxFileSystem]:
    """Yield the files of the nodes given, of a running demo, or of the default port.

    The program ends with status 5 if a path is not there.

    Raises:
        FileTrouble: in place of Python's own errors for files.
        BrokenPipeError: who reads the output has seen enough.
    """
    found = running.find() if nodes is None else None
    if found is not None:
        nodes = ",".join(f"{node.host}:{node.cluster_port}" for node in found.nodes)
        password = password or found.password or None
    opened = PnyxFileSystem(nodes or NODES_DEFAULT, password, skip_instance_cache=True)
    try:
        yield opened
    except (PnyxError, BrokenPipeError):
        raise
    except FileNotFoundError as error:
        print(FileTrouble(_sentence(error)).explain(), file=sys.stderr)
        sys.exit(NOT_FOUND)
    except OSError as error:
        raise FileTrouble(_sentence(error)) from error
    finally:
        opened.close()


def _sentence(error: OSError) -> str:
    # Python's own errors for files are made of a number and its words, or as ours of a path alone.
    name = error.filename or (error.args[0] if len(error.args) == 1 else "")
    match error:
        case FileNotFoundError():
            words = "no such file or directory"
        case FileExistsError():
            words = "it is there already"
        case IsADirectoryError():
            words = "it is a directory"
        case NotADirectoryError():
            words = "it is a file, and not a directory"
        case _:
            words = error.strerror or type(error).__name__
    return f"{words}: {name}" if name else words
