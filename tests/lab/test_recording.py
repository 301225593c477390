"""Does the black-box judge agree with the witness on what simulated clients saw?"""

import msgspec
import pytest

from pnyx.lab.formats.reading import read
from pnyx.lab.judge import watched
from pnyx.lab.linearizability import judge
from pnyx.lab.recording import history_of
from pnyx.lab.run import Outcome
from pnyx.lab.swarm import draw
from pnyx.machine.commands import Get
from pnyx.replica.requests import Done

SEEDS = range(40, 52)
SAFETY_US = 2_500_000


def outcome_of(seed: int) -> Outcome:
    return watched(draw(seed, safety_us=SAFETY_US))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_witness_lets_pass_is_linearizable_from_outside_too(seed: int) -> None:
    outcome = outcome_of(seed)
    assert outcome.violation is None
    assert judge(history_of(outcome.clients.tickets)).word == "linearizable"


def test_a_read_that_is_changed_afterwards_is_refuted() -> None:
    """The judge of the test above can say no."""
    tickets = outcome_of(SEEDS[0]).clients.tickets
    for ticket in tickets:
        match ticket.commands, ticket.answer:
            case (Get(),), Done((bytes() as value,)):
                ticket.answer = Done((value + b"nobody wrote this",))
                break
            case _:
                pass
    else:
        raise AssertionError("the run has a read of one key that found a value")
    assert judge(history_of(tickets)).word == "not linearizable"


def test_a_history_comes_back_from_its_file() -> None:
    history = history_of(outcome_of(SEEDS[0]).clients.tickets)
    content = "".join(history.lines()).encode()
    assert [msgspec.json.decode(line) for line in content.splitlines()]
    again = read(content, None)
    assert [o.call() for o in again.operations()] == [o.call() for o in history.operations()]
    assert judge(again).word == "linearizable"
