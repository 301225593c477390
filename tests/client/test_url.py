"""Does a URL say where to connect, and is a wrong one refused without showing its password?"""

import pytest

from pnyx.client.errors import AddressWrong
from pnyx.client.url import Target, parsed


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("pnyx://h:7002", Target((("h", 7002),))),
        ("pnyx://h", Target((("h", 7001),))),
        ("pnyx://a:1,b:2,c/", Target((("a", 1), ("b", 2), ("c", 7001)))),
        ("pnyx://:s%40crt@h:1", Target((("h", 1),), "s@crt")),
        ("pnyx://default:pw@h:1", Target((("h", 1),), "pw")),
        ("pnyx://[::1]:7003,[fe80::1]", Target((("::1", 7003), ("fe80::1", 7001)))),
        ("pnyx://[fe80::1%eth0]:1,bücher.de.:2", Target((("fe80::1%eth0", 1), ("bücher.de.", 2)))),
        ("pnyx://:@h:1", Target((("h", 1),))),
    ],
)
def test_a_url_names_nodes_and_password(url: str, target: Target) -> None:
    assert parsed(url) == target


@pytest.mark.parametrize(
    "url",
    ["redis://h:1", "h:1", "pnyx://", "pnyx://h:0", "pnyx://h:65536", "pnyx://h:x", "pnyx://a,,b",
     "pnyx://h:1/path", "pnyx://a..b:1", f"pnyx://{'a' * 64}:1",
     "pnyx://a b:1", "pnyx://a\0b:1", "pnyx://someone:secret@h:1", "pnyx://secret@h"],
)  # fmt: skip
def test_what_is_no_such_url_is_refused_and_no_password_is_shown(url: str) -> None:
    with pytest.raises(AddressWrong) as raised:
        parsed(url)
    assert "secret" not in raised.value.explain()
    assert "pnyx://[:PASSWORD@]HOST:PORT" in raised.value.next_step


@pytest.mark.parametrize(
    "url", ["pnyx://::1", "pnyx://::1:7001", "pnyx://h:1,fe80::1", "pnyx://[::1"]
)
def test_an_ipv6_address_without_brackets_is_refused_with_how_to_write_it(url: str) -> None:
    with pytest.raises(AddressWrong) as raised:
        parsed(url)
    assert "pnyx://[::1]:7001" in raised.value.next_step


def test_the_nodes_of_a_target_are_read_again_as_they_were() -> None:
    target = parsed("pnyx://[::1]:7003,h:2")
    assert parsed(f"pnyx://{target.nodes}") == target
