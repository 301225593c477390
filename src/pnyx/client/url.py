"""What a URL of pnyx says: where the nodes are, and the password."""

from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote

from pnyx.client.errors import AddressWrong

Address: TypeAlias = tuple[str, int]
"""Host and port."""

SCHEME: Final = "pnyx://"
PORT_DEFAULT: Final = 7001
_FORM: Final = "pnyx://[:PASSWORD@]HOST:PORT[,HOST:PORT...], for example pnyx://127.0.0.1:7001"

_IN_FULL: Final = (
    "a URL of a file, which fsspec splits at `::`, has an IPv6 address in full: "
    f"pnyx://[0:0:0:0:0:0:0:1]:{PORT_DEFAULT}/path"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What to connect to."""

    seeds: tuple[Address, ...]
    """In the order they were written; any one of them that lives is enough to find the others."""
    password: str | None = None

    @property
    def nodes(self) -> str:
        """The seeds as a URL has them."""
        places = ((f"[{host}]" if ":" in host else host, port) for host, port in self.seeds)
        return ",".join(f"{host}:{port}" for host, port in places)


def parsed(url: str) -> Target:
    """Return what `url` says; ports are cluster ports or gateway ports, 7001 if left out.

    An IPv6 address stands in brackets; an empty password is none.

    Raises:
        AddressWrong: it is not of the form ``pnyx://[:password@]host:port[,host:port...]``.
    """
    if not url.startswith(SCHEME):
        raise AddressWrong(f"{_shown(url)} is no URL of pnyx", next_step=f"write {_FORM}")
    credentials, found, places = url[len(SCHEME) :].rpartition("@")
    user, colon, password = credentials.partition(":")
    if found and (not colon or user not in {"", "default"}):
        raise AddressWrong(
            f"{_shown(url)} names a user, and there is only `default`", next_step=f"write {_FORM}"
        )
    seeds = tuple(_address(place, url) for place in places.rstrip("/").split(","))
    return Target(seeds, unquote(password) or None)


def _address(place: str, url: str) -> Address:
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, str(PORT_DEFAULT)
    bare = host.strip("[]")
    if ":" in bare and host != f"[{bare}]":
        raise AddressWrong(
            f"{_shown(url)} has {place!r} where HOST:PORT belongs",
            cause="an IPv6 address stands in brackets, for its end could be a port",
            next_step=f"write {_FORM} or pnyx://[::1]:{PORT_DEFAULT}; {_IN_FULL}",
        )
    if not _is_host(bare) or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise AddressWrong(
            f"{_shown(url)} has {place!r} where HOST:PORT belongs",
            next_step=f"write {_FORM}" + (f"; {_IN_FULL}" if "[" in place else ""),
        )
    return bare, int(port)


def _is_host(text: str) -> bool:
    """Can a resolver be asked for it?"""
    try:
        # What sockets do with a name: an empty label, or one of more than 63 characters, is none.
        text.encode("idna")
    except UnicodeError:
        return False
    return text.isprintable() and text != "" and not set(text) & set(" /?#")


def _shown(url: str) -> str:
    """Return the URL without its password: errors end up in logs."""
    scheme, _, rest = url.rpartition("://")
    _, found, places = rest.rpartition("@")
    return f"{scheme}://...@{places}" if found else url
