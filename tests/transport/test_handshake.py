"""Nobody of another cluster, and nobody under another's name, gets a message in."""

import asyncio

import msgspec
import pytest

from pnyx.consensus.formation import Ask
from pnyx.ids import GroupId, NodeId
from pnyx.transport import link as link_module, peers as peers_module
from pnyx.transport.codec import Packet, encode_packets, encode_parcel
from pnyx.transport.frames import frame
from pnyx.transport.handshake import (
    PROTOCOL,
    Hello,
    Identity,
    Reason,
    Refused,
    decode_greeting,
    encode_greeting,
    judge,
)
from pnyx.transport.lane import Lane
from transport.meeting import Meeting, Stranger, identity, node_of, run, until

OWN = identity("n2")
LABELS = {"n1": 0, "n3": 0}


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        (identity("n1", cluster="another"), Reason.CLUSTER),
        (msgspec.structs.replace(identity("n1"), consensus="multipaxos"), Reason.ENGINE),
        (identity("n1", node_of("n2")), Reason.SELF),
        (identity("n2", NodeId(9)), Reason.SELF),
        (identity("n3"), Reason.DIRECTION),
    ],
)
def test_a_stranger_is_told_why_and_heard_no_further(theirs: Identity, reason: Reason) -> None:
    async def story() -> None:
        async with Meeting(3) as meeting:
            n2 = await meeting.join("n2")
            stranger = await Stranger.dial(meeting.ports["n2"])
            hello = frame(encode_greeting(Hello(PROTOCOL, Lane.RAFT, theirs)))
            piece = encode_packets([Packet(GroupId(1), Ask())])[0]
            parcel = frame(encode_parcel(theirs.node, node_of("n2"), 0, piece))
            await stranger.write(hello + parcel)
            assert (await stranger.refusal()).reason is reason
            assert n2.counts.handshakes_refused == 1
            assert meeting.heard["n2"].parcels == []
            assert n2.links_up == 0

    run(story())


def test_another_protocol_is_refused() -> None:
    refused = judge(Hello(PROTOCOL + 1, Lane.RAFT, identity("n1")), OWN, LABELS, None)
    assert refused is not None
    assert refused.reason is Reason.PROTOCOL


def test_an_address_that_answers_with_another_label_is_refused() -> None:
    hello = Hello(PROTOCOL, Lane.RAFT, identity("n3"))
    refused = judge(hello, OWN, LABELS, "n1")
    assert refused is not None
    assert refused.reason is Reason.LABEL
    assert judge(hello, OWN, LABELS, "n3") is None


def test_any_node_of_the_cluster_is_let_in_whatever_its_label() -> None:
    wiped = Hello(PROTOCOL, Lane.RAFT, identity("n1", NodeId(77)))
    added = Hello(PROTOCOL, Lane.RAFT, identity("n9"))
    assert judge(wiped, OWN, LABELS, None) is None
    assert judge(added, OWN, LABELS, None) is None
    foreign = Hello(PROTOCOL, Lane.RAFT, identity("n9", cluster="another"))
    refused = judge(foreign, OWN, LABELS, None)
    assert refused is not None
    assert refused.reason is Reason.CLUSTER


def test_a_node_that_nobody_lists_dials_everybody_and_is_met() -> None:
    async def story() -> None:
        async with Meeting(3) as meeting:
            added = meeting.ports.pop("n3")
            for label in ("n1", "n2"):
                await meeting.join(label)
            meeting.ports["n3"] = added
            n3 = await meeting.join("n3")
            await until(meeting.all_up)
            assert [one.label for one in n3.linked] == ["n1", "n2"]
            assert meeting.peers["n1"].node_of("n3") == node_of("n3")
            meeting.peers["n1"].cut_from(["n3"])
            assert not meeting.peers["n1"].reachable(node_of("n3"))
            meeting.peers["n1"].heal()
            await until(meeting.all_up)

    run(story())


def test_two_nodes_under_one_label_have_links_of_their_own() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            links = []
            for node in (NodeId(5), NodeId(6)):
                for lane in Lane:
                    links.append(await Stranger.dial(meeting.ports["n2"]))
                    await links[-1].meet(identity("n1", node), lane)
            await until(lambda: n2.reachable(NodeId(5)) and n2.reachable(NodeId(6)))
            assert [one.node for one in n2.linked] == [5, 6]
            for link in links:
                link.close()

    run(story())


def test_a_crowd_of_strangers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "PEER_COUNT_MAX", 2)

    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            first = [await Stranger.dial(meeting.ports["n2"]) for _ in range(2)]
            for number, one in enumerate(first):
                await one.meet(identity("n9", NodeId(5 + number)))
            await until(lambda: n2.links_up == 2)
            late = await Stranger.dial(meeting.ports["n2"])
            await late.greet(identity("n9", NodeId(7)))
            assert (await late.refusal()).reason is Reason.CROWD
            for one in first:
                one.close()

    run(story())


def test_the_dialler_hears_why_it_was_refused_and_keeps_trying_slowly() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            one = await meeting.join("n1", identity("n1", cluster="another"))
            two = await meeting.join("n2")
            await until(lambda: one.counts.handshakes_refused >= 4)
            assert two.counts.handshakes_refused >= 4
            assert meeting.heard["n1"].events == []
            assert one.links_up == two.links_up == 0

    run(story())


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "HANDSHAKE_MS", 60)

    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            stranger = await Stranger.dial(meeting.ports["n2"])
            assert await stranger.bodies() == []
            assert n2.counts.handshakes_timed_out == 1

    run(story())


@pytest.mark.parametrize(
    "first", [b"*1\r\n$4\r\nPING\r\n".ljust(16), frame(b"x"), frame(bytes(4_096)), frame(b"\xc1")]
)
def test_garbage_instead_of_a_greeting_is_counted_and_closed(first: bytes) -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            stranger = await Stranger.dial(meeting.ports["n2"])
            await stranger.write(first)
            assert await stranger.bodies() == []
            assert n2.counts.bad_frames == 1

    run(story())


def test_a_crowd_that_never_greets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "HANDSHAKE_MS", 2_000)

    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            crowd = [await Stranger.dial(meeting.ports["n2"]) for _ in range(80)]
            waiting = [asyncio.create_task(one.bodies()) for one in crowd]
            # Not for a time: on a busy machine the first ones' patience may end before it.
            await until(lambda: sum(one.done() for one in waiting) >= 16)
            assert [one.done() for one in waiting] == [True] * 16 + [False] * 64, "the oldest go"
            assert n2.counts.handshakes_crowded == 16
            await asyncio.gather(*waiting)
            assert n2.counts.handshakes_timed_out == 64

    run(story())


def test_a_crowd_that_is_renewed_for_ever_keeps_no_peer_out() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            crowd = [await Stranger.dial(meeting.ports["n2"]) for _ in range(64)]
            await meeting.join("n1")
            await until(meeting.all_up, within_s=1)
            renewed = [await Stranger.dial(meeting.ports["n2"]) for _ in range(64)]
            await until(lambda: n2.counts.handshakes_crowded >= 64)
            assert meeting.all_up(), "who is up is no part of the crowd"
            for one in crowd + renewed:
                one.close()

    run(story())


def test_nothing_passes_before_the_dialler_has_welcomed_us() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            n2 = await meeting.join("n2")
            stranger = await Stranger.dial(meeting.ports["n2"])
            await stranger.greet(identity("n1"))
            await stranger.first_body()
            assert n2.links_up == 0
            piece = encode_packets([Packet(GroupId(1), Ask())])[0]
            await stranger.write(frame(encode_parcel(node_of("n1"), node_of("n2"), 0, piece)))
            assert await stranger.bodies() == []
            assert meeting.heard["n2"].parcels == []
            assert n2.counts.bad_frames == 1

    run(story())


def test_a_refusal_survives_the_wire() -> None:
    refused = Refused(Reason.LABEL, "who?")
    assert decode_greeting(encode_greeting(refused)) == refused
