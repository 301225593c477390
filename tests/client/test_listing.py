"""Is every slot searched although its server changes while the search goes on?"""

import hiredis

from pnyx.client.errand import Errand, numbered
from pnyx.client.listing import Listing
from pnyx.client.routes import Routes
from pnyx.prng import Prng
from pnyx.transport.backoff import Backoff

A, B = ("a", 1), ("b", 2)
DISABLED = hiredis.ReplyError("ERR This instance has cluster support disabled")


def split(at: int) -> list[list[object]]:
    """CLUSTER SLOTS where A serves what is below `at`, and B the rest."""
    return [[0, at - 1, ["a", 1]], [at, 16_383, ["b", 2]]]


def searched(listing: Listing, routes: Routes, *, after: list[list[object]] | None = None) -> str:
    """Search the next node to its end; the map is `after` then."""
    command = listing.next_page()
    if command is None:
        return "all"
    address = routes.address_of(command.slot, 0.0)
    if after is not None:
        routes.learn(after, A)
    listing.keys_of([b"0", [b"k"]])
    return address[0]


def test_each_node_is_searched_once() -> None:
    routes = Routes((A, B))
    routes.learn(split(100), A)
    listing = Listing(routes, "*", 10)
    assert [searched(listing, routes) for _ in range(3)] == ["a", "b", "all"]


def test_slots_that_moved_meanwhile_are_searched_where_they_are() -> None:
    routes = Routes((A, B))
    routes.learn(split(100), A)
    listing = Listing(routes, "*", 10)
    assert searched(listing, routes) == "a"
    assert searched(listing, routes, after=split(200)) == "b"
    assert [searched(listing, routes) for _ in range(2)] == ["a", "all"]


def test_a_page_of_another_node_starts_from_the_beginning() -> None:
    routes = Routes((A, B))
    routes.learn(split(100), A)
    listing = Listing(routes, "*", 10)
    listing.next_page()
    listing.keys_of([b"77", []])
    routes.learn([[0, 16_383, ["b", 2]]], A)
    command = listing.next_page()
    assert command is not None
    assert command.words[1] == b"0"


def test_nobody_else_is_asked_for_the_page_of_a_node_whose_connection_broke() -> None:
    routes = Routes((A, B))
    routes.learn(split(100), A)
    command = Listing(routes, "*", 10).next_page()
    assert command is not None
    calls, _ = numbered([command], None)
    on_way = Errand(calls, routes, Backoff(Prng(1)), ends_s=10.0, ack=lambda _number: 0)
    (parcel,) = on_way.parcels(0.0)
    on_way.broke(parcel, [], "reset", 0.1, has_left=True)
    assert [one.address for one in on_way.parcels(0.1)] == [A]
    routes.learn([[0, 16_383, ["b", 2]]], B)
    assert [one.address for one in on_way.parcels(0.2)] == [B]


def test_a_gateway_searches_all_in_one_go() -> None:
    routes = Routes((A,))
    routes.learn(DISABLED, A)
    listing = Listing(routes, "*", 10)
    assert [searched(listing, routes) for _ in range(2)] == ["a", "all"]
