"""Does Raft keep the contract's outer shape: protocol, wire format, role table, determinism?"""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from pnyx.consensus.consensus import Consensus
from pnyx.consensus.formation import FormationMessage
from pnyx.consensus.raft.messages import RaftMessage
from pnyx.consensus.raft.roles import TRANSITIONS, Event, change_role, role_diagram
from pnyx.consensus.ready import Role
from raftalone import Alone
from raftworld import Flight, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "raft-in-pnyx.md"


def test_raft_is_a_consensus() -> None:
    core: Consensus = Alone().raft
    promised = {name for name in dir(Consensus) if not name.startswith("_")}
    assert promised <= set(dir(core))


def test_no_two_messages_share_a_tag() -> None:
    kinds = [*get_args(RaftMessage), *get_args(FormationMessage)]
    tags = [kind.__struct_config__.tag for kind in kinds]
    assert len(set(tags)) == len(tags) == 16


def test_every_message_begins_with_its_term() -> None:
    assert all(kind.__struct_fields__[0] == "term" for kind in get_args(RaftMessage))


def test_every_message_survives_the_wire() -> None:
    world = World(3)
    seen: dict[str, object] = {}

    def remember(flight: Flight) -> bool:
        seen.setdefault(type(flight.message).__name__, flight.message)
        return False

    world.drops = remember
    world.elect(1)
    world.write(1, b"a")
    world.read(2)
    world.crash(3)
    world.write(1, b"b")
    world.run(60)
    world.restart(3)
    world.run(200)
    world[1].transfer_leadership(None, world.now_ms)
    world.settle()
    decoder = msgspec.msgpack.Decoder(RaftMessage)
    for message in seen.values():
        assert decoder.decode(msgspec.msgpack.encode(message)) == message
    assert len(seen) == len(get_args(RaftMessage))


def test_a_role_changes_only_as_the_table_says() -> None:
    follower = Alone()
    with pytest.raises(AssertionError, match="no arrow from FOLLOWER"):
        change_role(follower.raft._state, Event.VOTE_WON)


def test_nobody_but_a_candidate_becomes_leader() -> None:
    assert {arrow.source for arrow in TRANSITIONS if arrow.target is Role.LEADER} == {
        Role.CANDIDATE
    }


def test_every_role_gives_way_to_a_higher_term() -> None:
    sources = {arrow.source for arrow in TRANSITIONS if arrow.event is Event.HIGHER_TERM}
    assert sources == set(Role)


def test_the_document_shows_the_diagram_that_the_table_draws() -> None:
    assert f"```mermaid\n{role_diagram()}\n```" in DOCUMENT.read_text()


def test_the_same_seed_gives_the_same_messages() -> None:
    def story() -> list[bytes]:
        world = World(5, seed=4)
        sent: list[bytes] = []

        def record(flight: Flight) -> bool:
            sent.append(msgspec.msgpack.encode(flight.message))
            return False

        world.drops = record
        world.run(2000)
        leader = world.leader()
        assert leader is not None
        world.write(leader, b"a", b"b")
        world.crash(leader)
        world.run(3000)
        return sent

    assert story() == story()


def test_another_seed_gives_another_election() -> None:
    def elected_ms(seed: int) -> int:
        world = World(3, seed=seed)
        world.run_until(lambda: world.leader() is not None)
        return world.now_ms

    assert len({elected_ms(seed) for seed in range(8)}) > 2
