"""Ports for nodes on one machine."""

import socket

import pytest

from pnyx.harness.ports import Bases, NoPort, out_of_the_way, plan


def test_free_ports_are_taken_as_wanted_and_each_only_once() -> None:
    start = out_of_the_way(3)[0].gateway
    ports, moved = plan(3, Bases(start, start + 3, start + 6, start + 9))
    flat = [port for one in ports for port in (one.gateway, one.cluster, one.peers, one.http)]
    assert sorted(flat) == list(range(start, start + 12))
    assert moved == []


def test_a_taken_port_is_passed_over_and_told() -> None:
    bases = out_of_the_way(3)[0]
    with socket.socket() as other:
        other.bind(("127.0.0.1", bases.gateway))
        other.listen(1)
        ports, moved = plan(1, Bases(bases.gateway, bases.cluster, bases.peers, bases.http))
    assert ports[0].gateway != bases.gateway
    assert (moved[0].kind, moved[0].wanted) == ("gateway", bases.gateway)


def test_no_port_above_the_last_one() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 65535))
        other.listen(1)
        with pytest.raises(NoPort, match="65535"):
            plan(1, Bases(gateway=65535))
