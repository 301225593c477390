"""What a test that drives a simulated cluster by hand can rely on."""

import pytest

from pnyx.client.errors import Timeout, Unavailable
from pnyx.harness.resp import Refused
from pnyx.harness.simulation import Simulation


def test_equal_calls_with_an_equal_seed_are_the_same_run() -> None:
    hashes = []
    for _ in range(2):
        simulation = Simulation(7)
        simulation.set("key", "value")
        simulation.kill(simulation.wait_for_leader())
        assert simulation.get("key") == b"value"
        hashes.append(simulation.trace_hash)
    assert hashes[0] == hashes[1]


def test_another_seed_is_another_run() -> None:
    assert Simulation(7).trace_hash != Simulation(8).trace_hash


def test_what_was_acknowledged_outlives_a_power_cut_of_all_nodes() -> None:
    simulation = Simulation(3)
    simulation.set("key", "value")
    for label in simulation.labels:
        simulation.cut_power(label)
    simulation.restart(*simulation.labels)
    assert simulation.get("key") == b"value"


def test_a_node_that_is_cut_off_does_nothing_and_says_so() -> None:
    simulation = Simulation(4)
    simulation.partition("n1")
    simulation.run(5)
    with pytest.raises(Unavailable):
        simulation.execute_command("SET", "key", "value", at="n1")
    simulation.heal()
    assert simulation.get("key") is None


def test_a_write_whose_node_dies_under_it_has_an_unknown_outcome() -> None:
    simulation = Simulation(5)
    leader = simulation.wait_for_leader()
    simulation.partition(leader)
    with pytest.raises(Timeout) as raised:
        simulation.execute_command("INCR", "key", at=leader)
    assert raised.value.outcome == "unknown"


def test_a_paused_node_goes_on_where_it_stood() -> None:
    simulation = Simulation(6)
    leader = simulation.wait_for_leader()
    simulation.pause(leader)
    simulation.run(3)
    other = next(label for label in simulation.labels if label != leader)
    simulation.execute_command("SET", "key", "value", at=other)
    simulation.restart(leader)
    assert simulation.execute_command("GET", "key", at=leader) == b"value"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("GET",), "wrong number of arguments"),
        (("NONSENSE", "key"), "not a command on keys"),
        (("INCRBY", "key", "one"), "not an integer"),
        (("SET", "key", bytes(4 * 1024 * 1024 + 1)), "invalid bulk length"),
    ],
)
def test_wrong_words_are_refused_with_redis_text(words: tuple[str, ...], text: str) -> None:
    with pytest.raises(Refused, match=text):
        Simulation(1).execute_command(*words)


def test_a_value_of_no_such_kind_is_refused_as_the_client_does() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        Simulation(1).set("key", None)  # type: ignore[arg-type]
