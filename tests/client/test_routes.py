"""Does a client ask the node that serves a slot, and somebody else when that one is silent?"""

import hiredis

from pnyx.client.routes import Routes

A, B, C = ("a", 1), ("b", 2), ("c", 3)
DISABLED = hiredis.ReplyError("ERR This instance has cluster support disabled")
HALVES = [[0, 8191, [b"b", 2, b"id", []], [b"a", 1]], [8192, 16383, ["", 3, "id"]]]


def test_each_slot_goes_to_the_first_node_of_its_range() -> None:
    routes = Routes((A,))
    routes.learn(HALVES, ("c", 9))
    assert routes.address_of(0, 0.0) == routes.address_of(8191, 0.0) == B
    assert routes.address_of(8192, 0.0) == C
    assert set(routes.known) == {A, B, C}


def test_a_silent_node_is_asked_last_for_a_while() -> None:
    routes = Routes((A, B))
    routes.learn(HALVES, A)
    routes.failed(B, 10.0)
    assert routes.address_of(0, 10.5) != B
    assert routes.address_of(0, 11.1) == B


def test_a_node_that_answers_is_no_longer_silent() -> None:
    routes = Routes((A, B))
    routes.learn(HALVES, A)
    routes.failed(B, 10.0)
    routes.heard(B)
    assert routes.address_of(0, 10.1) == B


def test_a_redirection_changes_its_slot_and_makes_the_map_due() -> None:
    routes = Routes((A, B))
    assert routes.wants_map(0.0)
    routes.learn(HALVES, A)
    assert not routes.wants_map(5.0)
    routes.moved(3, C)
    assert routes.address_of(3, 5.0) == C
    assert routes.address_of(4, 5.0) == B
    assert routes.wants_map(5.0)
    assert not routes.wants_map(5.05), "it was just asked"


def test_with_gateway_ports_one_node_is_stayed_with_until_it_fails() -> None:
    routes = Routes((A, B))
    routes.learn(DISABLED, A)
    assert {routes.address_of(slot, 0.0) for slot in range(0, 16_384, 999)} == {A}
    routes.failed(A, 0.0)
    assert routes.address_of(1, 0.1) == B
    assert routes.address_of(1, 5.0) == B
    assert not routes.wants_map(5.0)


def test_a_map_without_leaders_leaves_the_known_nodes() -> None:
    routes = Routes((A, B))
    routes.learn([], A)
    assert routes.known == (A, B)
    assert routes.wants_map(1.0)
