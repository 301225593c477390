"""Multi-instance Paxos, rule by rule, with letters carried by hand."""

import tracemalloc
from collections.abc import Iterable

import pytest

from pnyx.consensus.instances import messages
from pnyx.consensus.instances.messages import Accept, Decided, Learned, Letter, Prepare, Promised
from pnyx.consensus.instances.peer import FORGOTTEN, PENDING, Fate, Peer
from pnyx.consensus.instances.record import Closed, Found, Open, Record, Standing
from pnyx.consensus.paxos import Ballot, Proposal
from pnyx.ids import NodeId
from pnyx.prng import Prng

LATER_MS = 10_000


class Group:
    """Peers whose letters arrive when a test says so; what is written is durable at once."""

    def __init__(self, count: int) -> None:
        self.numbers = [NodeId(number) for number in range(1, count + 1)]
        self.now_ms = 0
        self.disks: dict[int, Found] = {number: Found() for number in self.numbers}
        self.peers: dict[int, Peer] = {}
        self.letters: list[tuple[NodeId, NodeId, Letter]] = []
        """From, to, and what; oldest first."""
        for number in self.numbers:
            self.begin(number)

    def begin(self, number: int) -> None:
        self.peers[number] = Peer(
            NodeId(number), self.numbers, Prng(number), self.now_ms, self.disks[number]
        )

    def replace_disk(self, number: int) -> None:
        self.disks[number] = Found(self.disks[number].birth + 1)
        self.begin(number)

    def turn(self) -> None:
        """Let everybody write and send what it wants to."""
        for number, peer in self.peers.items():
            while (ready := peer.ready()) is not None:
                disk = self.disks[number]
                records: dict[int, Record] = dict(disk.records)
                for entry in ready.write.entries:
                    records.pop(entry.seq, None)
                    if entry.record is not None:
                        records[entry.seq] = entry.record
                standing = ready.write.standing or disk.standing
                self.disks[number] = Found(disk.birth, standing, records)
                self.letters += [(NodeId(number), post.to, post.letter) for post in ready.posts]
                peer.persisted(self.now_ms)

    def deliver(self, among: Iterable[int] = (), rounds: int = 20) -> None:
        """Deliver letters between these, or all, and what they lead to; others are lost."""
        chosen = set(among) or set(self.numbers)
        for _ in range(rounds):
            self.turn()
            letters, self.letters = self.letters, []
            for sender, to, letter in letters:
                if {sender, to} <= chosen:
                    self.peers[to].step(sender, letter, self.now_ms)

    def tick(self, *numbers: int) -> None:
        self.now_ms += LATER_MS
        for number in numbers or self.numbers:
            self.peers[number].tick(self.now_ms)

    def values(self, seq: int) -> list[bytes | None]:
        return [peer.status(seq).value for peer in self.peers.values()]


# Agreement.


def test_one_peer_starts_and_all_know_what_is_decided() -> None:
    group = Group(3)
    group.peers[1].start(7, b"x")
    group.deliver()
    assert group.values(7) == [b"x"] * 3
    assert [peer.max for peer in group.peers.values()] == [7] * 3


def test_an_agreement_of_three_takes_eight_letters() -> None:
    group = Group(3)
    group.peers[1].start(0, b"x")
    count = 0
    for _ in range(10):
        group.turn()
        count += len(group.letters)
        group.deliver(rounds=1)
    assert (count, group.letters) == (8, [])


def test_of_five_the_proposer_tells_the_others_until_they_have_noted_it() -> None:
    group = Group(5)
    group.peers[1].start(0, b"x")
    group.deliver({1, 2, 3})
    assert group.values(0) == [b"x", b"x", b"x", None, None]
    group.tick()
    group.turn()
    assert {to for _, to, letter in group.letters if isinstance(letter.message, Decided)} == {4, 5}
    group.deliver()
    assert group.values(0) == [b"x"] * 5
    group.tick()
    group.turn()
    assert group.letters == []


def test_without_a_majority_nothing_is_decided() -> None:
    group = Group(3)
    group.peers[1].start(0, b"x")
    group.deliver({1})
    assert group.peers[1].status(0) == PENDING


def test_who_comes_later_learns_the_old_value_and_passes_it_on() -> None:
    group = Group(5)
    group.peers[1].start(0, b"old")
    group.deliver({1, 2, 3})
    group.peers[4].start(0, b"new")
    group.deliver({3, 4, 5})
    assert group.values(0) == [b"old"] * 5


def test_a_second_start_changes_nothing() -> None:
    group = Group(3)
    group.peers[1].start(0, b"x")
    group.peers[1].start(0, b"y")
    group.deliver()
    group.peers[1].start(0, b"z")
    assert group.values(0) == [b"x"] * 3


# Restarts.


def test_a_restarted_proposer_begins_above_the_rounds_that_it_used() -> None:
    group = Group(3)
    group.peers[1].start(0, b"x")
    group.deliver({1})
    group.begin(1)
    group.peers[1].start(0, b"y")
    group.turn()
    asked = [letter.message for _, _, letter in group.letters]
    assert [one.ballot for one in asked if isinstance(one, Prepare)] == [Ballot(2, NodeId(1))] * 2


def test_a_restarted_acceptor_refuses_what_it_promised_not_to_take() -> None:
    group = Group(3)
    group.peers[2].step(NodeId(3), letter(Prepare(0, Ballot(5, NodeId(3)))), 0)
    group.turn()
    group.begin(2)
    low = Proposal(Ballot(4, NodeId(1)), b"x")
    group.peers[2].step(NodeId(1), letter(Accept(0, low)), 0)
    group.letters.clear()
    group.turn()
    assert [one.message for _, _, one in group.letters] == [
        messages.Refused(0, Ballot(5, NodeId(3)))
    ]


def letter(message: messages.Message, birth: int = 0) -> Letter:
    return Letter(birth, (), message)


# Forgetting.


def agreed(group: Group, seqs: Iterable[int]) -> None:
    for seq in seqs:
        group.peers[1].start(seq, b"x%d" % seq)
        group.deliver()


def test_an_instance_is_forgotten_when_the_last_peer_is_done_with_it() -> None:
    group = Group(3)
    agreed(group, range(3))
    group.peers[1].done(2)
    group.peers[2].done(1)
    group.tick()
    group.deliver()
    assert [peer.min for peer in group.peers.values()] == [0, 0, 0]
    group.peers[3].done(0)
    group.tick()
    group.deliver()
    assert [peer.min for peer in group.peers.values()] == [1, 1, 1]
    assert group.peers[1].status(0) == FORGOTTEN
    assert sorted(group.disks[1].records) == [1, 2]


def test_what_is_forgotten_is_not_opened_again_after_a_restart_either() -> None:
    group = Group(3)
    agreed(group, range(2))
    for peer in group.peers.values():
        peer.done(1)
    group.tick()
    group.deliver()
    for number in group.numbers:
        group.begin(number)
    group.peers[1].start(0, b"again")
    group.deliver()
    assert group.peers[1].status(0) == FORGOTTEN
    assert group.peers[1].max == 1
    assert not group.peers[1].instances


def test_forgetting_frees_the_memory() -> None:
    tracemalloc.start()
    try:
        group = Group(3)
        for seq in range(10):
            group.peers[1].start(seq, bytes(1 << 20))
            group.deliver()
        before = tracemalloc.get_traced_memory()[0]
        for peer in group.peers.values():
            peer.done(9)
        group.tick()
        group.deliver()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert before >= 10 << 20
    assert after <= before / 2


# Lost disks.


def test_a_peer_without_its_disk_answers_nothing_before_a_majority_has_refilled_it() -> None:
    group = Group(5)
    agreed(group, [0])
    group.replace_disk(1)
    group.tick(1)
    group.deliver({1, 2, 3})
    assert not group.peers[1].is_ready
    group.peers[1].step(NodeId(5), letter(Prepare(1, Ballot(9, NodeId(5)))), group.now_ms)
    group.letters.clear()
    group.turn()
    assert group.letters == []
    group.tick(1)
    group.deliver({1, 2, 3, 4})
    assert group.peers[1].status(0).value == b"x0"
    assert group.disks[1].records[0] == Closed(b"x0")


def test_a_refilled_peer_knows_the_highest_promise_of_those_that_answered() -> None:
    high, higher = Ballot(3, NodeId(2)), Ballot(7, NodeId(3))
    held = Proposal(high, b"held")
    group = Group(3)
    group.disks[2] = Found(0, None, {4: Open(high, held)})
    group.disks[3] = Found(0, None, {4: Open(higher, None)})
    group.begin(2)
    group.begin(3)
    group.replace_disk(1)
    group.tick(1)
    group.deliver()
    assert group.disks[1].records == {4: Open(higher, held)}


def test_a_promise_of_a_disk_that_is_gone_counts_no_more() -> None:
    """X has the promise of A's old disk; A, refilled by others, helps to choose another value."""
    group = Group(5)
    x, a, b = group.peers[1], NodeId(2), NodeId(3)
    for _ in range(3):
        # Its third round is above any that the others begin.
        x.start(0, b"x")
        group.deliver({1})
        group.tick(1)
    ballot = next(
        one.message.ballot
        for _, to, one in _sent(group)
        if to == a and isinstance(one.message, Prepare)
    )
    x.step(a, letter(Promised(0, ballot, None)), group.now_ms)
    group.replace_disk(2)
    group.tick(2)
    group.deliver({2, 3, 4, 5})
    group.peers[5].start(0, b"y")
    group.deliver({2, 4, 5})
    assert group.peers[5].status(0).value == b"y"
    promise = Promised(0, ballot, None)
    known = tuple(messages.Known(peer, birth, -1) for peer, birth in group.peers[3].births.items())
    x.step(b, Letter(0, known, promise), group.now_ms)
    asked = [one.message for _, _, one in _sent(group)]
    assert not any(isinstance(one, Accept) for one in asked), "two promises are no majority of five"


def _sent(group: Group) -> list[tuple[NodeId, NodeId, Letter]]:
    group.turn()
    sent, group.letters = group.letters, []
    return sent


def test_letters_of_a_disk_that_is_gone_are_not_heard() -> None:
    group = Group(3)
    group.replace_disk(1)
    group.tick(1)
    group.deliver()
    late = Proposal(Ballot(9, NodeId(1)), b"late")
    group.peers[2].step(NodeId(1), letter(Accept(0, late)), group.now_ms)
    group.peers[2].step(NodeId(1), letter(Learned(1, b"new disk"), birth=1), group.now_ms)
    assert group.peers[2].status(0) == PENDING
    assert 0 not in group.peers[2].instances
    assert group.peers[2].status(1).fate is Fate.DECIDED


def test_no_disk_proposes_under_the_name_of_another() -> None:
    group = Group(3)
    group.replace_disk(1)
    group.tick(1)
    group.deliver()
    group.peers[1].start(0, b"x")
    group.turn()
    names = {
        one.message.ballot.node for _, _, one in group.letters if isinstance(one.message, Prepare)
    }
    assert names == {NodeId(5)}


def test_what_a_disk_has_heard_of_others_outlives_a_restart() -> None:
    group = Group(3)
    group.replace_disk(1)
    group.tick(1)
    group.deliver()
    group.begin(2)
    assert group.peers[2].births[NodeId(1)] == 1
    assert group.disks[2].standing == Standing(
        {NodeId(1): 1, NodeId(2): 0, NodeId(3): 0},
        dict.fromkeys(group.numbers, -1),
        is_refilled=True,
    )


def test_an_old_disk_that_comes_back_is_refused() -> None:
    group = Group(3)
    known = (messages.Known(NodeId(1), 1, -1),)
    with pytest.raises(AssertionError, match="must not take part"):
        group.peers[1].step(NodeId(2), Letter(0, known, messages.Told()), 0)
