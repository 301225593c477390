"""Nobody of another cluster, and nobody under another's name, gets a message in."""

import asyncio

import pytest

from pnyx.consensus.formation import Ask
from pnyx.ids import GroupId, NodeId
from pnyx.transport import link as link_module
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
        (identity("n1", node_of("n2")), Reason.SELF),
        (identity("n2", NodeId(9)), Reason.SELF),
        (identity("n9"), Reason.LABEL),
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
    refused = judge(Hello(PROTOCOL + 1, Lane.RAFT, identity("n1")), OWN, LABELS, {}, None)
    assert refused is not None
    assert refused.reason is Reason.PROTOCOL


def test_an_address_that_answers_with_another_label_is_refused() -> None:
    hello = Hello(PROTOCOL, Lane.RAFT, identity("n3"))
    refused = judge(hello, OWN, LABELS, {}, "n1")
    assert refused is not None
    assert refused.reason is Reason.LABEL
    assert judge(hello, OWN, LABELS, {}, "n3") is None


def test_after_formation_only_the_recorded_node_is_let_in() -> None:
    hello = Hello(PROTOCOL, Lane.RAFT, identity("n1"))
    formed = {"n1": node_of("n1"), "n2": node_of("n2"), "n3": node_of("n3")}
    assert judge(hello, OWN, LABELS, formed, None) is None
    refused = judge(hello, OWN, LABELS, {**formed, "n1": NodeId(77)}, None)
    assert refused is not None
    assert refused.reason is Reason.IDENTITY


def test_expecting_another_node_closes_the_link_that_is_up() -> None:
    async def story() -> None:
        async with Meeting(2) as meeting:
            one = await meeting.join("n1")
            await meeting.join("n2")
            await until(meeting.all_up)
            one.expect({"n1": node_of("n1"), "n2": NodeId(77)})
            assert not one.reachable(node_of("n2"))
            await until(lambda: one.counts.handshakes_refused > 0)
            assert not one.reachable(node_of("n2"))
            one.expect({"n1": node_of("n1"), "n2": node_of("n2")})
            await until(meeting.all_up)

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
    monkeypatch.setattr(link_module, "HANDSHAKE_MS", 500)

    async def story() -> None:
        async with Meeting(2) as meeting:
            await meeting.join("n2")
            crowd = [await Stranger.dial(meeting.ports["n2"]) for _ in range(80)]
            waiting = [asyncio.create_task(one.bodies()) for one in crowd]
            await asyncio.wait(waiting, timeout=0.3)
            assert sum(one.done() for one in waiting) == 16
            await asyncio.gather(*waiting)

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
