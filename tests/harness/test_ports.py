"""Ports for nodes on one machine."""

import socket
import subprocess
import sys

import pytest

from pnyx.harness import ports as ports_module
from pnyx.harness.ports import Bases, NoPort, give_back, out_of_the_way, plan


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


def test_who_asks_for_ports_keeps_them_while_nobody_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (own,) = out_of_the_way(1)
    # There is room for these four alone, and for nobody's first port but theirs.
    monkeypatch.setattr(ports_module, "OUT_OF_THE_WAY_MIN", own.gateway)
    monkeypatch.setattr(ports_module, "OUT_OF_THE_WAY_MAX", own.gateway + 5)
    with pytest.raises(NoPort, match="no free ports between"):
        out_of_the_way(1)
    other = f"""
from pnyx.harness import ports
ports.OUT_OF_THE_WAY_MIN, ports.OUT_OF_THE_WAY_MAX = {own.gateway}, {own.gateway + 5}
print(ports.out_of_the_way(1) == [ports.Ports(*range({own.gateway}, {own.gateway + 4}))])
"""
    words = [sys.executable, "-c", other]
    elsewhere = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert "NoPort" in elsewhere.stderr
    give_back([own])
    elsewhere = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert elsewhere.stdout == "True\n"
    assert out_of_the_way(1) == [own]
    give_back([own])
