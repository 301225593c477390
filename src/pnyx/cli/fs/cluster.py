"""Which cluster's files a command means, and what its errors are for a shell."""

from collections.abc import Iterator
from contextlib import contextmanager

from pnyx.cli import running
from pnyx.client.files.filesystem import NODES_DEFAULT, PnyxFileSystem
from pnyx.errors import PnyxError


class FileTrouble(PnyxError):
    """A file or directory is not what the command needs. Nothing was done."""

    code = "PX0708"


@contextmanager
def files(nodes: str | None, password: str | None) -> Iterator[PnyxFileSystem]:
    """Yield the files of the nodes given, of a running demo, or of the default port.

    Raises:
        FileTrouble: in place of Python's own errors for files.
    """
    found = running.find() if nodes is None else None
    if found is not None:
        nodes = ",".join(f"{node.host}:{node.cluster_port}" for node in found.nodes)
        password = password or found.password or None
    opened = PnyxFileSystem(nodes or NODES_DEFAULT, password, skip_instance_cache=True)
    try:
        yield opened
    except PnyxError:
        raise
    except OSError as error:
        raise FileTrouble(_sentence(error)) from error
    finally:
        opened.close()


def _sentence(error: OSError) -> str:
    name = error.filename or (error.args[0] if error.args else "")
    match error:
        case FileNotFoundError():
            return f"no such file or directory: {name}"
        case FileExistsError():
            return f"it is there already: {name}"
        case IsADirectoryError():
            return f"it is a directory: {name}"
        case NotADirectoryError():
            return f"it is a file, and not a directory: {name}"
        case _:
            return f"{error.strerror or error}: {name}"
