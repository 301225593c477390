r"""Which paths there may be, and under which keys what lies there is kept.

    {pnyx:fs:<directory>}<name>           a manifest: all of one directory share a slot
    {pnyx:fs:<directory>}\0closed         a removal's mark: commits must make the directory anew
    {pnyx:fs:<directory>}\0renames        counts the renames in it
    {pnyx:fs:<directory>}\0writing\0<id>  a writer's permit, which dies by itself
    pnyx:chunk:<id>:<number>              a chunk
    {pnyx:fs}...                          quotas, usage, orphans

Names hold no NUL, so the keys of the second kind are nobody's file. In a directory's part braces
and per cent signs are escaped: two paths never share a key.
"""

from typing import Final

from pnyx.client.files.errors import NameRefused

ROOT: Final = "/"
NAME_BYTES_MAX: Final = 255
NAMES_MAX: Final = 128
"""Of one path. Who makes the lowest directory, or walks to it, goes three calls deeper for each."""
PATH_BYTES_MAX: Final = 4096
CHUNK_PREFIX: Final = b"pnyx:chunk:"
_ESCAPED: Final = str.maketrans({"{": "%7B", "}": "%7D", "%": "%25"})


def cleaned(path: str) -> str:
    """Return an absolute path without doubled or trailing slashes; relative ones begin at the root.

    Raises:
        NameRefused: a part of it is ``.`` or ``..``, holds NUL or another control character, is no
            UTF-8, or is too long; or there are too many.
    """
    names = [name for name in path.split("/") if name]
    if len(names) > NAMES_MAX:
        raise NameRefused(f"the path has more than {NAMES_MAX} names: {path[:40]!r}...")
    for name in names:
        _check(name, path)
    clean = ROOT + "/".join(names)
    if len(clean.encode()) > PATH_BYTES_MAX:
        raise NameRefused(f"the path is longer than {PATH_BYTES_MAX} bytes: {clean[:40]!r}...")
    return clean


def parent_of(path: str) -> str:
    """Return the directory that a clean path lies in; the root's is the root."""
    return path.rpartition("/")[0] or ROOT


def name_of(path: str) -> str:
    """Return the last part of a clean path; the root's is empty."""
    return path.rpartition("/")[2]


def joined(directory: str, name: str) -> str:
    """Return the clean path of `name` in a clean directory."""
    return f"/{name}" if directory == ROOT else f"{directory}/{name}"


def directory_tag(directory: str) -> bytes:
    """Return what the keys of everything in a clean directory begin with."""
    return b"{pnyx:fs:%b}" % directory.translate(_ESCAPED).encode()


def entry_key(path: str) -> bytes:
    """Return the key of the manifest of a clean path that is not the root."""
    assert path != ROOT, "nothing holds the root"
    return directory_tag(parent_of(path)) + name_of(path).encode()


def closed_key(directory: str) -> bytes:
    """Return the key that is there after a clean directory was removed."""
    return directory_tag(directory) + b"\0closed"


def renames_key(directory: str) -> bytes:
    """Return the key that counts the renames in a clean directory."""
    return directory_tag(directory) + b"\0renames"


def permit_key(directory: str, file_id: bytes) -> bytes:
    """Return the key of the permit of the writer of `file_id` in a clean directory."""
    return directory_tag(directory) + b"\0writing\0" + file_id.hex().encode()


def chunk_key(file_id: bytes, number: int) -> bytes:
    """Return the key of a file's chunk, counted from 0."""
    return b"%b%b:%d" % (CHUNK_PREFIX, file_id.hex().encode(), number)


def chunk_of(key: bytes) -> tuple[bytes, int] | None:
    """Return file id and number out of a chunk's key; None if it is none of ours."""
    digits, colon, number = key.removeprefix(CHUNK_PREFIX).partition(b":")
    if not colon or len(digits) != 32 or not number.isdigit():
        return None
    try:
        return bytes.fromhex(digits.decode()), int(number)
    except ValueError:
        return None


def _check(name: str, path: str) -> None:
    why = ""
    if name in {".", ".."}:
        why = "is no name: paths are not walked, write the directory itself"
    elif any(ord(char) < 32 or 127 <= ord(char) < 160 for char in name):
        why = "holds a control character"
    else:
        try:
            if len(name.encode()) > NAME_BYTES_MAX:
                why = f"is longer than {NAME_BYTES_MAX} bytes"
        except UnicodeEncodeError:
            why = "is not UTF-8"
    if why:
        raise NameRefused(f"{path!r} cannot name a file: {name[:60]!r} {why}; nothing was done")
