"""How long a file system lives: what is closed is handed to nobody, and a client's is its own."""

from ipaddress import IPv6Address
from urllib.parse import quote

import fsspec
import pytest

from pnyx.client.blocking import Pnyx
from pnyx.client.errors import AddressWrong, Unavailable
from pnyx.client.files.filesystem import PnyxFileSystem
from pnyx.client.runner import Runner
from pnyx.client.settings import settled
from pnyx.client.url import parsed

NODES = "127.0.0.1:1"
"""Nobody answers there."""


def filesystem() -> PnyxFileSystem:
    found = fsspec.filesystem("pnyx", nodes=NODES, timeout_s=0.1)
    assert isinstance(found, PnyxFileSystem)
    return found


def client() -> Pnyx[bytes]:
    told = settled(f"pnyx://{NODES}", password=None, timeout_s=0.1, decode=False, exactly_once=True)
    return Pnyx(Runner.of(told))


def goes_on(files: PnyxFileSystem) -> None:
    with pytest.raises(Unavailable):
        files.info("/x")


def is_closed(files: PnyxFileSystem) -> None:
    with pytest.raises(RuntimeError, match="closed"):
        files.info("/x")


def test_who_asks_fsspec_again_gets_the_same_one_until_it_is_closed() -> None:
    first = filesystem()
    assert filesystem() is first

    first.close()
    second = filesystem()

    is_closed(first)
    goes_on(second)
    first.close()
    assert filesystem() is second, "closing again closes nobody else's"
    second.close()


def test_the_files_of_two_clients_are_closed_apart_and_each_with_its_client() -> None:
    ours, theirs = client(), client()
    files, others = ours.fs, theirs.fs

    ours.close()

    is_closed(files)
    goes_on(others)
    theirs.close()
    is_closed(others)


def test_a_client_after_one_whose_files_were_closed_has_files_that_go_on() -> None:
    first = client()
    first.fs.close()
    second = client()
    goes_on(second.fs)
    second.close()


@pytest.mark.parametrize("ask", ["exists", "isfile", "isdir", "lexists"])
def test_what_nobody_can_be_asked_is_not_said_to_be_absent(ask: str) -> None:
    files = filesystem()
    with pytest.raises(Unavailable):
        getattr(files, ask)("/x")
    assert not getattr(files, ask)("/x/../y"), "no file can have this name"
    files.close()


def test_a_file_url_has_ipv6_addresses_in_full_for_fsspec_splits_at_two_colons() -> None:
    files = PnyxFileSystem("[::1]:1,h:2,[fe80::1]", timeout_s=0.1, skip_instance_cache=True)
    url = files.unstrip_protocol("/x")
    assert "::" not in url
    again, path = fsspec.url_to_fs(url, timeout_s=0.1)
    assert path == "/x"
    assert again.runner.settings.target.seeds == tuple(
        (IPv6Address(host).exploded if ":" in host else host, port)
        for host, port in files.runner.settings.target.seeds
    )
    assert PnyxFileSystem._get_kwargs_from_urls("pnyx://[::1]:1/x")["nodes"] in url
    again.close()
    files.close()


def test_a_file_url_that_fsspec_has_split_at_two_colons_is_refused_with_how_to_write_it() -> None:
    with pytest.raises(AddressWrong) as raised:
        fsspec.open("pnyx://[::1]:7001/x").open()
    assert "in full: pnyx://[0:0:0:0:0:0:0:1]:7001/path" in raised.value.next_step


def test_a_password_in_a_file_url_is_what_it_is_in_a_clients() -> None:
    word = "p@ss/w:rd%"
    url = f"pnyx://:{quote(word, safe='')}@{NODES}/x"
    files, path = fsspec.url_to_fs(url, timeout_s=0.1)
    assert path == "/x"
    assert files.runner.settings.target == parsed(url.removesuffix("/x"))
    assert files.runner.settings.target.password == word
    files.close()
