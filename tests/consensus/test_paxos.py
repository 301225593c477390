"""Single-decree Paxos, rule by rule: the sentences of Paxos Made Simple §2."""

from collections.abc import Iterable

from pnyx.consensus.paxos import (
    NO_BALLOT,
    Accept,
    Accepted,
    Acceptor,
    Ballot,
    Learner,
    Prepare,
    Promise,
    Proposal,
    Proposer,
)
from pnyx.ids import NodeId

P1, P2, A3, A4, A5 = (NodeId(number) for number in range(1, 6))
LOW, HIGH, HIGHER = Ballot(1, P1), Ballot(1, P2), Ballot(2, P1)
QUORUM = 2


def preparing(me: NodeId = P1, value: bytes = b"a", rounds: int = 1) -> Proposer:
    proposer = Proposer(me, value, QUORUM)
    for _ in range(rounds):
        proposer, _ = proposer.prepare()
    return proposer


def hearing(proposer: Proposer, promises: Iterable[Promise]) -> tuple[Proposer, list[Accept]]:
    asked = []
    for promise in promises:
        proposer, accept = proposer.promised(promise)
        asked += [accept] if accept else []
    return proposer, asked


def learned(*accepted: Accepted) -> bytes | None:
    learner = Learner(QUORUM)
    for message in accepted:
        learner = learner.accepted(message)
    return learner.learned


# Ballots.


def test_a_later_round_is_above_every_ballot_of_an_earlier_one() -> None:
    assert NO_BALLOT < LOW < HIGH < HIGHER


def test_a_proposer_never_uses_a_ballot_twice() -> None:
    proposer, first = Proposer(P1, b"a", QUORUM).prepare()
    _, second = proposer.prepare()
    assert (first, second) == (Prepare(LOW), Prepare(HIGHER))


# Phase 1b: "it responds with a promise not to accept any more proposals numbered less than n".


def test_a_promise_tells_the_highest_proposal_accepted() -> None:
    acceptor, _ = Acceptor(A3).accept(Accept(Proposal(LOW, b"a")))
    _, promise = acceptor.prepare(Prepare(HIGH))
    assert promise == Promise(HIGH, A3, Proposal(LOW, b"a"))


def test_a_lower_ballot_is_not_promised_any_more() -> None:
    acceptor, _ = Acceptor(A3).prepare(Prepare(HIGH))
    assert acceptor.prepare(Prepare(LOW)) == (acceptor, None)


def test_a_repeated_prepare_gets_the_same_promise_again() -> None:
    acceptor, first = Acceptor(A3).prepare(Prepare(LOW))
    assert acceptor.prepare(Prepare(LOW)) == (acceptor, first)


# Phase 2a: "the value of the highest-numbered proposal among the responses, or any value".


def test_nothing_is_asked_for_before_a_majority_has_promised() -> None:
    _, asked = hearing(preparing(), [Promise(LOW, A3, None)])
    assert asked == []


def test_the_promise_of_one_acceptor_counts_once() -> None:
    _, asked = hearing(preparing(), [Promise(LOW, A3, None)] * 2)
    assert asked == []


def test_a_promise_of_another_ballot_does_not_count() -> None:
    promises = [Promise(LOW, A3, None), Promise(LOW, A4, None)]
    _, asked = hearing(preparing(rounds=2), promises)
    assert asked == []


def test_a_proposer_that_hears_of_nothing_accepted_asks_for_its_own_value() -> None:
    _, asked = hearing(preparing(), [Promise(LOW, A3, None), Promise(LOW, A4, None)])
    assert asked == [Accept(Proposal(LOW, b"a"))]


def test_the_value_accepted_in_the_highest_ballot_is_asked_for_again() -> None:
    promises = [
        Promise(HIGHER, A3, Proposal(LOW, b"x")),
        Promise(HIGHER, A4, Proposal(HIGH, b"y")),
    ]
    for order in (promises, promises[::-1]):
        _, asked = hearing(preparing(rounds=2), order)
        assert asked == [Accept(Proposal(HIGHER, b"y"))]


def test_a_ballot_has_at_most_one_value() -> None:
    proposer, _ = hearing(preparing(), [Promise(LOW, A3, None), Promise(LOW, A4, None)])
    late = Promise(LOW, A5, Proposal(NO_BALLOT, b"z"))
    assert proposer.promised(late) == (proposer, None)


# Phase 2b: "it accepts the proposal unless it has already responded to a prepare request having
# a number greater than n".


def test_a_proposal_is_accepted_without_a_promise() -> None:
    _, accepted = Acceptor(A3).accept(Accept(Proposal(LOW, b"a")))
    assert accepted == Accepted(Proposal(LOW, b"a"), A3)


def test_a_proposal_below_the_promise_is_not_accepted() -> None:
    acceptor, _ = Acceptor(A3).prepare(Prepare(HIGH))
    assert acceptor.accept(Accept(Proposal(LOW, b"a"))) == (acceptor, None)


def test_accepting_raises_the_promise() -> None:
    acceptor, _ = Acceptor(A3).accept(Accept(Proposal(HIGH, b"b")))
    assert acceptor.promised == HIGH
    assert acceptor.accept(Accept(Proposal(LOW, b"a"))) == (acceptor, None)


def test_a_restart_forgets_neither_the_promise_nor_what_was_accepted() -> None:
    acceptor, _ = Acceptor(A3).accept(Accept(Proposal(LOW, b"a")))
    acceptor, _ = acceptor.prepare(Prepare(HIGH))
    assert acceptor.restarted() == acceptor
    assert (acceptor.promised, acceptor.accepted) == (HIGH, Proposal(LOW, b"a"))


# Learning (§2.3): "a value is chosen when a majority has accepted one proposal".


def test_a_majority_that_accepted_one_proposal_teaches_its_value() -> None:
    one, other = Accepted(Proposal(LOW, b"a"), A3), Accepted(Proposal(LOW, b"a"), A5)
    assert learned(one) is None
    assert learned(one, other) == b"a"


def test_one_acceptor_heard_twice_teaches_nothing() -> None:
    assert learned(*[Accepted(Proposal(LOW, b"a"), A3)] * 2) is None


def test_two_ballots_are_not_counted_together() -> None:
    one, other = Accepted(Proposal(LOW, b"a"), A3), Accepted(Proposal(HIGHER, b"a"), A4)
    assert learned(one, other) is None


def test_acceptances_in_between_do_not_hide_a_majority() -> None:
    first = Accepted(Proposal(LOW, b"a"), A3)
    between = Accepted(Proposal(HIGH, b"b"), A3)
    assert learned(first, between, Accepted(Proposal(LOW, b"a"), A4)) == b"a"


def test_what_is_learned_stays_learned() -> None:
    chosen = [Accepted(Proposal(LOW, b"a"), node) for node in (A3, A4)]
    later = [Accepted(Proposal(HIGH, b"b"), node) for node in (A3, A4)]
    assert learned(*chosen, *later) == b"a"
