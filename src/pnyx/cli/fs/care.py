"""fsck and quota: whether all files are whole, and how much they may take."""

from msgspec.structs import replace

from pnyx.cli.fs.cluster import FileTrouble, files
from pnyx.cli.options import Flag, Nodes, Password
from pnyx.cli.output import Form, show
from pnyx.cli.statuses import FAILED, OK
from pnyx.client.files.fsck import Check

QUOTA_MAX = 2**63 - 1
"""What is taken is counted in integers of the store, which go no further."""


def fsck(
    *,
    deep: Flag = False,
    repair: Flag = False,
    collect: Flag = False,
    nodes: Nodes = None,
    password: Password = None,
) -> int:
    """Look at every file; exit status 1 if one is damaged or a move unfinished.

    Args:
        deep: read every byte and compare the checksums.
        repair: finish moves that a crash interrupted, and count anew what files take. Not while
            files are being written.
        collect: delete what writers that died have left. It goes at the second look, an hour after
            the first: nothing that lives is ever deleted.
    """
    with files(nodes, password) as fs:
        found = Check(fs.runner).run(deep=deep, repair=repair, collect_orphans=collect)
    print(f"{found.files} files, {found.bytes} bytes, {found.directories} directories")
    for sentence in found.damaged:
        print(f"DAMAGED    {sentence}")
    for sentence in found.unfinished:
        print(f"{'finished' if repair else 'UNFINISHED':10} {sentence}")
    if found.usage is not None:
        was = f"{found.usage.bytes} bytes in {found.usage.files} files"
        print(f"usage was kept as {was}" + ("; mended" if repair else "; --repair counts anew"))
    if found.orphans:
        done = f"{found.collected} deleted" if collect else "--collect deletes them, in two looks"
        print(f"{found.orphans} files' worth of chunks that nothing names: {done}")
    return FAILED if found.damaged or (found.unfinished and not repair) else OK


def quota(
    *,
    file_bytes: int | None = None,
    total_bytes: int | None = None,
    count: int | None = None,
    nodes: Nodes = None,
    password: Password = None,
    output: Form = "table",
) -> int:
    """Show or change how much files may take.

    Args:
        file_bytes: of one file, at most; bytes.
        total_bytes: of all files together; bytes.
        count: how many files.
        output: how to print it.
    """
    given = {"file_bytes_max": file_bytes, "bytes_max": total_bytes, "files_max": count}
    changes = {name: value for name, value in given.items() if value is not None}
    if any(not 1 <= value <= QUOTA_MAX for value in changes.values()):
        raise FileTrouble("a quota is at least 1 and less than 2^63; nothing was changed")
    with files(nodes, password) as fs:
        quotas = fs.store.quotas
        if changes:
            quotas.set(replace(quotas.get(), **changes))
        allowed, taken = quotas.get(), quotas.usage()
    rows: list[dict[str, object]] = [
        {"of": "bytes of a file", "taken": None, "allowed": allowed.file_bytes_max},
        {"of": "bytes of all files", "taken": taken.bytes, "allowed": allowed.bytes_max},
        {"of": "files", "taken": taken.files, "allowed": allowed.files_max},
    ]
    show(rows, ("of", "taken", "allowed"), output)
    return OK
