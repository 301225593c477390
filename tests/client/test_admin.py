"""How the library learns where the nodes' http pages are."""

from pnyx.client.admin import located

INFO = (
    b"# Pnyx\r\npnyx_version:0.1.0\r\npnyx_http:n1=127.0.0.1:8301,n2=node.example:8302,n3=::1:83"
    b"\r\npnyx_groups:1\r\n"
)


def test_pages_are_found_in_what_a_node_says_of_itself() -> None:
    found = located(INFO, "s3cret")
    assert found.pages == {
        "n1": ("127.0.0.1", 8301), "n2": ("node.example", 8302), "n3": ("::1", 83),
    }  # fmt: skip
    assert found.password == "s3cret"
    assert located(INFO.decode(), None).pages == found.pages


def test_a_node_that_does_not_say_it_gives_no_pages() -> None:
    assert located(b"# Pnyx\r\n", None).pages == {}
    assert located(b"pnyx_http:\r\n", None).pages == {}
